// Reads a JSON array of definitions from stdin, prints for each the array of what AWS's own
// language service for Step Functions (the one in the VS Code toolkit) finds in it.
"use strict";

const {getLanguageService, TextDocument} = require("amazon-states-language-service");

async function findings(service, definition, index) {
  const text = JSON.stringify(definition, null, 2);
  const document = TextDocument.create(`file:///${index}.asl.json`, "json", 1, text);
  const parsed = service.parseJSONDocument(document);
  const found = await service.doValidation(document, parsed);
  return found.map(({message, range}) => `line ${range.start.line + 1}: ${message}`);
}

async function main() {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  const definitions = JSON.parse(Buffer.concat(chunks).toString("utf8"));
  const service = getLanguageService({});
  const results = [];
  for (const [index, definition] of definitions.entries()) {
    results.push(await findings(service, definition, index));
  }
  process.stdout.write(JSON.stringify(results));
}

main();
