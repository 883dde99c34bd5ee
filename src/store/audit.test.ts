import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test, type TestContext } from 'node:test'
import { openStore } from './sqlite-store.ts'

const clock = { now: () => 5, monotonic: () => 5 }
const record = (subject: string) => ({
  who: 'root',
  name: 'root',
  address: '127.0.0.1',
  action: 'PUT /v1/units/{name}',
  subject,
  result: 'ok',
  position: 7,
})

function directoryOf(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'orla-audit-'))
  t.after(() => rmSync(directory, { recursive: true }))
  return directory
}

test('entries are read newest first, over a restart, and their chain holds', (t) => {
  const directory = directoryOf(t)
  let store = openStore(directory, { clock })
  for (const subject of ['a', 'b \ud800', 'c']) store.audit.append(record(subject))
  store.close()
  store = openStore(directory, { clock })
  store.audit.append(record('d'))
  assert.deepEqual(
    store.audit.read(Number.MAX_SAFE_INTEGER, 2).map(({ id, subject }) => [id, subject]),
    [
      [4, 'd'],
      [3, 'c'],
    ],
  )
  assert.deepEqual(
    store.audit.read(3, 10).map(({ subject }) => subject),
    ['b \ufffd', 'a'],
  )
  assert.equal(store.audit.verify(), undefined)
  // It is no part of the log that edges read.
  assert.equal(store.position().id, 0)
  store.close()
})

for (const [what, sql, at] of [
  ['changed', `UPDATE audit SET subject = 'x' WHERE id = 2`, 2],
  ['taken out', 'DELETE FROM audit WHERE id = 2', 2],
  ['taken off the end', 'DELETE FROM audit WHERE id = 3', undefined],
] as const) {
  test(`an entry cannot be ${what}; who forces it is found by the chain, but at the end`, (t) => {
    const directory = directoryOf(t)
    const store = openStore(directory, { clock })
    for (const subject of ['a', 'b', 'c']) store.audit.append(record(subject))
    store.close()
    const db = new DatabaseSync(join(directory, 'orla.db'))
    assert.throws(() => db.exec(sql), /append-only/)
    db.exec(`DROP TRIGGER audit_stays; DROP TRIGGER audit_is; ${sql}`)
    db.close()
    const again = openStore(directory, { clock })
    assert.equal(again.audit.verify(), at)
    again.close()
  })
}
