/** Command lines about edges and the store that are wrong. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { orla } from '../harness/command.ts'

for (const [argv, message] of [
  [['join'], /URL… is missing/],
  [['join', 'http://c'], /give --token or --token-file/],
  [['join', 'ftp://c', '--token', 't'], /URL: expected "http:/],
  [['join', 'http://c', '--token', 't', '--token-file', 'f'], /not both/],
  [['join', 'http://c', '--token', 't', '--write-config', 'edge.ts'], /--write-config takes a \.json file/],
  [['edges', 'drop', 'a'], /"drop" is not remove/],
  [['edges', 'remove'], /remove needs a name/],
  [['log', '--from', '0'], /--from takes a number from 1/],
  [['restore'], /give either FILE or --at/],
  [['restore', '--at', 'yesterday'], /--at takes an id, a time as/],
  [['store', 'statsu'], /"statsu" is not status, verify, migrate or promote/],
  [['store', 'migrate', '--from', 'x'], /migrate needs --from SPEC and --to SPEC/],
  [['store', 'promote'], /promote needs --path DIR/],
] as const) {
  test(`orla ${argv.join(' ')} ends with 64 and says why`, async (t) => {
    const cwd = mkdtempSync(join(tmpdir(), 'orla-usage-'))
    t.after(() => rmSync(cwd, { recursive: true, force: true }))
    writeFileSync(join(cwd, 'f'), 't')
    const result = await orla(argv, { cwd })
    assert.deepEqual([result.code, result.stdout], [64, ''], result.stderr)
    assert.match(result.stderr, message)
  })
}
