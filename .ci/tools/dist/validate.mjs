// Checks bills of materials against the schema of the CycloneDX version that
// each names, strictly: node validate.mjs FILE…
import { readFileSync } from 'node:fs'
import { Validation } from '@cyclonedx/cyclonedx-library'

let bad = 0
for (const file of process.argv.slice(2)) {
  const text = readFileSync(file, 'utf8')
  const problems = await new Validation.JsonStrictValidator(JSON.parse(text).specVersion).validate(text)
  if (problems !== null) {
    bad++
    console.error(file, JSON.stringify(problems, null, 1))
  }
}
process.exit(bad === 0 ? 0 : 1)
