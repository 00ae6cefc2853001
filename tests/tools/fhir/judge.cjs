// Judges a FHIR R4 bundle by npm `fhir`: structure, cardinality and required bindings.
//     node judge.cjs BUNDLE.json
const { readFileSync } = require('fs');
const { Fhir } = require('fhir');

const path = process.argv[2];
const bundle = JSON.parse(readFileSync(path, 'utf8'));
const { valid, messages } = new Fhir().validate(bundle, { errorOnUnexpected: true });
const errors = messages.filter((message) => message.severity !== 'info');
for (const { severity, location, message } of errors) console.log(`npm fhir: ${severity}: ${location}: ${message}`);
if (valid && errors.length === 0) console.log(`${path}: nothing found by npm fhir`);
process.exitCode = valid ? 0 : 1;
