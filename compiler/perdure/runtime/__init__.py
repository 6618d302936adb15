"""What instrumented modules call, and the Protocol that engines implement."""
