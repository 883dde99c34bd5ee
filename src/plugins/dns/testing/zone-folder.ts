/** A folder of zone files for a test. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

export interface TestFolder {
  readonly path: string
  write(name: string, text: string): void
  remove(name: string): void
}

export function zoneFolder(t: Pick<TestContext, 'after'>): TestFolder {
  const path = mkdtempSync(join(tmpdir(), 'zones-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return {
    path,
    write: (name, text) => writeFileSync(join(path, name), text),
    remove: (name) => rmSync(join(path, name), { recursive: true }),
  }
}

/** A small zone whose names are relative. */
export const zoneText = (serial: number, more = ''): string =>
  `@ 300 IN SOA ns1 hostmaster ${serial} 7200 3600 1209600 60
@ 300 IN NS ns1
ns1 300 IN A 192.0.2.1
www 300 IN A 192.0.2.2
${more}
`
