// Judges a FHIR R4 bundle by npm `fhir`: structure, cardinality and required bindings.
//     node judge.cjs BUNDLE.json
const { readFileSync } = require('fs');
const { Fhir } = require('fhir');

const path = process.argv[2];
const bundle = JSON.parse(readFileSync(path, 'utf8'));
const { valid, messages } = new Fhir().validate(bundle, { errorOnUnexpected: true });
// Both elements may take codes of any system; JP Core names these two, which the base specification does not know.
const national = /^Code "\d" \(http:\/\/jpfhir\.jp\/fhir\/core\/mhlw\/CodeSystem\/(InsuranceMajor|InsuredPerson)Category\) not found/;
const errors = messages.filter(({ severity, message }) => severity !== 'info' && !national.test(message));
for (const { severity, location, message } of errors) console.log(`npm fhir: ${severity}: ${location}: ${message}`);
if (valid && errors.length === 0) console.log(`${path}: nothing found by npm fhir`);
process.exitCode = valid && errors.length === 0 ? 0 : 1;
