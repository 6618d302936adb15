"""Drawings of a flow: its outline, as Mermaid text and as SVG."""
