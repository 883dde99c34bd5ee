import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../../base/clock.ts'
import { openStore } from '../../store/sqlite-store.ts'
import { LiveView } from './live-view.ts'

const log = { info: () => {}, warn: (line: string) => assert.fail(line) }

function stand(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'orla-live-'))
  const store = openStore(directory, { clock: systemClock })
  t.after(() => {
    store.close()
    rmSync(directory, { recursive: true })
  })
  const set = (value: string) => store.append([{ operation: 'SET', key: 'unit', value }])
  const start = (isReplica: boolean) => new LiveView(store, directory, log, isReplica)
  return { store, set, start }
}

test('a replica begins with what was live when it ended, not with what was stored and never tried', (t) => {
  const { set, start } = stand(t)
  const first = set('good')
  const view = start(true)
  view.accepted(first)
  const second = set('untried')
  assert.equal(start(true).get('unit'), 'good')
  assert.deepEqual(start(true).position(), first)
  view.accepted(second)
  assert.equal(start(true).get('unit'), 'untried')
})

test('a replica that is killed before its first flip begins with what it began with', (t) => {
  const { set, start } = stand(t)
  const first = set('good')
  assert.deepEqual(start(true).position(), first)
  set('untried')
  assert.deepEqual(start(true).position(), first)
  assert.deepEqual(start(true).position(), first)
})

test('what is made here was tried before it was stored, and is live after a restart', (t) => {
  const { set, start } = stand(t)
  start(false).accepted(set('one'))
  set('two')
  assert.equal(start(false).get('unit'), 'two')
})

for (const isReplica of [true, false]) {
  test(`what was rejected is read by nobody, also after a restart (${isReplica ? 'a replica' : 'its own'})`, (t) => {
    const { set, start } = stand(t)
    const good = set('good')
    const view = start(isReplica)
    view.accepted(good)
    const bad = set('bad')
    view.useNewest()
    assert.equal(view.get('unit'), 'bad')
    view.rejected(bad, good)
    for (const one of [view, start(isReplica)]) assert.equal(one.get('unit'), 'good')
    const better = set('better')
    view.useNewest()
    view.accepted(better)
    assert.equal(start(isReplica).get('unit'), 'better')
  })
}

test('where what was live is not kept any more, the newest is what there is', (t) => {
  const { store, set, start } = stand(t)
  const one = set('one')
  start(true).accepted(one)
  set('two')
  store.rotate(2)
  assert.equal(start(true).get('unit'), 'two')
})
