/** What every engine must do, whatever keeps its logs. An engine's test calls this and adds its own cases. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { SharedLog, StoreEngine } from '../contract/shared-log.ts'
import type { Effect, Position, Snapshot } from '../contract/store.ts'
import { chain, follow, GENESIS } from './chain.ts'
import { LogWriter, replay } from './testing/log-writer.ts'

export interface SharedLogContract {
  /** Stands before the name of each test: `redis`, `redis cluster`. */
  readonly engine: string
  /**
   * An empty store. The function that it gives connects to that store: each call is another control plane, where the engine allows more
   * than one, else the same one again. The suite closes what it gets, perhaps more than once.
   */
  readonly open: () => Promise<() => Promise<StoreEngine> | StoreEngine>
  /** Appends that four writers race for, all in all. */
  readonly racingAppends?: number
}

const AT = 1_790_000_000_000
const set = (key: string, value: string): Effect => ({ operation: 'SET', key, value })
const remove = (key: string): Effect => ({ operation: 'DELETE', key })
const many = (from: number, to: number): Effect[] =>
  Array.from({ length: to - from + 1 }, (_, n) => set(`k${from + n}`, String(from + n)))

const sorted = (state: ReadonlyMap<string, string>) =>
  [...state].toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))

export function sharedLogContract({ engine, open, racingAppends = 2000 }: SharedLogContract): void {
  const story = (
    name: string,
    tell: (connect: () => Promise<SharedLog>, t: TestContext) => Promise<void>,
  ): void => {
    test(`${engine}: ${name}`, async (t) => {
      const connect = await open()
      await tell(async () => {
        const connected = await connect()
        t.after(() => connected.close())
        return connected.log('units')
      }, t)
    })
  }

  story('a log that is not there is made once, with a name, at id 0', async (connect) => {
    const [one, other] = [await connect(), await connect()]
    const [first, second] = await Promise.all([one.head(), other.head()])
    assert.match(first.log, /^[0-9a-f]{16,}$/)
    assert.deepEqual([first.id, first.hash], [0, GENESIS])
    assert.deepEqual(second, first)
    assert.deepEqual(await one.read(first, 10), [])
    assert.deepEqual(await one.snapshot(), { position: first, entries: new Map() })
  })

  story(
    'entries come back as they were appended, ids without a gap, each behind the one before',
    async (connect) => {
      const log = await connect()
      const start = await log.head()
      const first = chain(start, [set('name', 'john'), set('name', 'eli'), remove('name')], AT)
      assert.equal(await log.append(start, first), 'appended')
      const middle = follow(start, first)
      assert.deepEqual(await log.head(), middle)
      const second = chain(middle, [set('b', '')], AT + 1)
      assert.equal(await log.append(middle, second), 'appended')
      assert.deepEqual(await log.read(start, 100), [...first, ...second])
      assert.deepEqual(await log.head(), follow(middle, second))
      assert.deepEqual((await log.snapshot()).entries, new Map([['b', '']]))
    },
  )

  story(
    'of two who append behind one head, the second is told conflict and nothing of it is there',
    async (connect) => {
      const [one, other] = [await connect(), await connect()]
      const start = await one.head()
      assert.equal(await one.append(start, chain(start, many(1, 2), AT)), 'appended')
      assert.equal(await other.append(start, chain(start, [set('mine', 'x')], AT)), 'conflict')
      const head = await other.head()
      assert.equal(head.id, 2)
      // Nor behind a head that is to come, of another hash, or of another log.
      for (const wrong of [{ id: 3 }, { hash: 'f'.repeat(64) }, { log: 'f'.repeat(32) }]) {
        const expected = { ...head, ...wrong }
        assert.equal(await one.append(expected, chain(expected, [set('mine', 'x')], AT)), 'conflict')
      }
      assert.equal((await one.snapshot()).entries.has('mine'), false)
      assert.deepEqual(await one.head(), head)
    },
  )

  story(
    'the same append again is appended and changes nothing, also when others have gone on',
    async (connect) => {
      const [one, other] = [await connect(), await connect()]
      const start = await one.head()
      const entries = chain(start, [set('a', '1'), remove('z'), set('b', '2')], AT)
      assert.equal(await one.append(start, entries), 'appended')
      assert.equal(await one.append(start, entries), 'appended')
      const next = await LogWriter.at(other)
      await next.append([set('a', '3')])
      assert.equal(await one.append(start, entries), 'appended')
      assert.deepEqual(await one.head(), next.position)
      assert.equal((await one.snapshot()).entries.get('a'), '3')
      // A part of it is not the same, and what goes on from its end with other words is another history.
      const longer = [...entries, ...chain(follow(start, entries), [set('a', 'other')], AT)]
      assert.equal(await one.append(start, longer), 'conflict')
    },
  )

  story('many effects are one append, and a key may be in it more than once', async (connect) => {
    const log = await connect()
    const writer = await LogWriter.at(log)
    await writer.append([...many(1, 500), remove('k7'), set('k8', 'again'), remove('k9'), set('k9', 'back')])
    assert.equal(writer.position.id, 504)
    const { entries } = await log.snapshot()
    assert.deepEqual(
      [entries.size, entries.get('k7'), entries.get('k8'), entries.get('k9')],
      [499, undefined, 'again', 'back'],
    )
  })

  story('reading goes by pages, from any position, to the end', async (connect) => {
    const writer = await LogWriter.at(await connect())
    const start = writer.position
    await writer.append(many(1, 10))
    const log = await connect()
    const ids = async (after: Position, limit: number) => {
      const page = await log.read(after, limit)
      return page === 'reset' ? page : page.map(({ id }) => id)
    }
    assert.deepEqual(await ids(start, 4), [1, 2, 3, 4])
    assert.deepEqual(await ids(follow(start, writer.entries.slice(0, 4)), 4), [5, 6, 7, 8])
    assert.deepEqual(await ids(follow(start, writer.entries.slice(0, 8)), 4), [9, 10])
    assert.deepEqual(await ids(writer.position, 4), [])
  })

  story('who stands on another log, another history or ahead of it is told reset', async (connect) => {
    const log = await connect()
    const writer = await LogWriter.at(log)
    const start = writer.position
    await writer.append(many(1, 5))
    const middle = follow(start, writer.entries.slice(0, 3))
    const end = writer.position
    for (const position of [start, middle, end]) {
      assert.notEqual(await log.read(position, 10), 'reset')
      assert.equal(await log.read({ ...position, log: 'e'.repeat(32) }, 10), 'reset')
      assert.equal(await log.read({ ...position, hash: 'e'.repeat(64) }, 10), 'reset')
    }
    assert.equal(await log.read({ ...end, id: 6 }, 10), 'reset')
  })

  story('what was let go is reset, what was kept goes on, and the state stays', async (connect) => {
    const log = await connect()
    const writer = await LogWriter.at(log)
    const start = writer.position
    await writer.append(many(1, 20))
    const at = (id: number) => follow(start, writer.entries.slice(0, id))
    await log.trim(12)
    assert.equal(await log.read(start, 5), 'reset')
    assert.equal(await log.read(at(11), 5), 'reset')
    assert.deepEqual(await log.read(at(12), 5), writer.entries.slice(12, 17))
    assert.equal(await log.read({ ...at(12), hash: 'e'.repeat(64) }, 5), 'reset')
    assert.deepEqual(await log.read(at(15), 5), writer.entries.slice(15, 20))
    // Less than before gives nothing back, and more than there is lets go of what there is.
    await log.trim(3)
    assert.equal(await log.read(at(11), 5), 'reset')
    await log.trim(1000)
    assert.equal(await log.read(at(19), 5), 'reset')
    assert.deepEqual(await log.read(at(20), 5), [])
    assert.deepEqual(await log.head(), at(20))
    assert.equal((await log.snapshot()).entries.size, 20)
    const end = writer.position
    await writer.append([set('k21', '21')])
    assert.deepEqual(await log.read(end, 5), writer.entries.slice(20))
  })

  story(
    'a log that was replaced is what the snapshot says, for those who come and those who were there',
    async (connect) => {
      const [log, other] = [await connect(), await connect()]
      const writer = await LogWriter.at(log)
      await writer.append(many(1, 9))
      const old = writer.position
      const position = { log: 'ab'.repeat(16), id: 4, hash: 'cd'.repeat(32) }
      const snapshot: Snapshot = { position, entries: new Map([['só', 'isto']]) }
      assert.equal(await other.replace({ ...old, id: 8 }, snapshot), 'conflict')
      assert.deepEqual(await log.head(), old)
      assert.equal(await other.replace(old, snapshot), 'replaced')
      assert.deepEqual(await log.head(), position)
      assert.deepEqual(await log.snapshot(), snapshot)
      assert.equal(await log.read(old, 10), 'reset')
      assert.equal(await log.append(old, chain(old, [set('a', '1')], AT)), 'conflict')
      assert.equal(await log.read({ ...position, id: 3, hash: 'cd'.repeat(32) }, 10), 'reset')
      assert.deepEqual(await log.read(position, 10), [])
      const next = await LogWriter.at(log)
      await next.append([set('a', '1')])
      assert.deepEqual(await log.read(position, 10), next.entries)
      assert.deepEqual(
        (await log.snapshot()).entries,
        new Map([
          ['só', 'isto'],
          ['a', '1'],
        ]),
      )
    },
  )

  story('a replacement by the position where it stands keeps those who follow', async (connect) => {
    const log = await connect()
    const writer = await LogWriter.at(log)
    await writer.append(many(1, 3))
    const snapshot = await log.snapshot()
    assert.equal(await log.replace(writer.position, snapshot), 'replaced')
    assert.deepEqual(await log.read(writer.position, 10), [])
    assert.deepEqual(await log.snapshot(), snapshot)
  })

  story('any text comes back as it went in, as key and as value', async (connect) => {
    const log = await connect()
    const start = await log.head()
    const texts = [
      '',
      '\0 zero \0',
      'linha\r\n',
      '😀 é',
      '\ud800 alone',
      '{"a":"\\"}',
      '*3\r\n$3',
      '%s %d',
      '__proto__',
    ]
    const entries = chain(
      start,
      texts.flatMap((text) => [set(`k${text}`, text)]),
      AT,
    )
    assert.equal(await log.append(start, entries), 'appended')
    const other = await connect()
    assert.deepEqual(await other.read(start, 100), entries)
    assert.deepEqual(sorted((await other.snapshot()).entries), sorted(replay(entries)))
  })

  story('values of 2 MB pass, and a page of them is cut short without a gap', async (connect) => {
    const writer = await LogWriter.at(await connect())
    for (const letter of 'abcdef') {
      await writer.append([set(letter, letter.repeat(2_000_000))])
    }
    const log = await connect()
    const reader = new LogWriter(log, { ...writer.position, id: 0, hash: GENESIS })
    await reader.catchUp()
    assert.deepEqual(reader.position, writer.position)
    const { position, entries } = await log.snapshot()
    assert.deepEqual(position, writer.position)
    assert.deepEqual(sorted(entries), sorted(replay(writer.entries)))
  })

  story('snapshot and tail are the full replay, also while two writers race', async (connect) => {
    const writers = await Promise.all([0, 1].map(async () => LogWriter.at(await connect())))
    const start = writers[0]!.position
    const log = await connect()
    const snapshots: Snapshot[] = []
    let writing = true
    const looking = (async () => {
      while (writing) snapshots.push(await log.snapshot())
    })()
    await Promise.all(
      writers.map(async (writer, who) => {
        for (let n = 0; n < 100; n++) {
          const effects = [
            set(`${n % 13}`, `${who} ${n}`),
            set(`w${who}-${n}`, 'x'),
            remove(`w${1 - who}-${n - 3}`),
          ]
          await writer.append(effects)
        }
      }),
    )
    writing = false
    await looking
    snapshots.push(await log.snapshot())
    const reader = new LogWriter(log, start)
    await reader.catchUp(77)
    assert.equal(reader.entries.length, 600)
    let last = 0
    for (const { position, entries } of snapshots) {
      assert.ok(position.id >= last, 'a later snapshot went back')
      last = position.id
      assert.deepEqual(follow(start, reader.entries.slice(0, last)), position)
      assert.deepEqual(sorted(entries), sorted(replay(reader.entries.slice(0, last))))
      assert.deepEqual(sorted(replay(reader.entries.slice(last), entries)), sorted(replay(reader.entries)))
    }
    assert.equal(last, 600)
  })

  story('who watches is called when another appends, until it stops', async (connect, t) => {
    const [log, other] = [await connect(), await connect()]
    const writer = await LogWriter.at(other)
    const reader = new LogWriter(log, writer.position)
    let wake = (): void => {}
    let looked = Promise.resolve()
    const stop = log.watch(() => wake())
    t.after(stop)
    for (let n = 1; n <= 5; n++) {
      const { promise, resolve } = Promise.withResolvers<void>()
      wake = () => {
        looked = looked.then(() => reader.catchUp())
        void looked.then(() => reader.position.id === n && resolve())
      }
      await writer.append([set('n', String(n))])
      await promise
    }
    stop()
    stop()
  })

  story(
    `of ${racingAppends} appends that four writers race for, none is lost, doubled or out of order`,
    async (connect) => {
      const writers = await Promise.all([0, 1, 2, 3].map(async () => LogWriter.at(await connect())))
      const start = writers[0]!.position
      const each = racingAppends / writers.length
      const log = await connect()
      const reader = new LogWriter(log, start)
      let writing = true
      // A reader beside them: `follow` throws where it would go back or skip.
      const reading = (async () => {
        while (writing) {
          const { id } = await log.head()
          await reader.catchUp()
          assert.ok(reader.position.id >= id, 'what the head named was not there to read')
        }
      })()
      const acknowledged = await Promise.all(
        writers.map(async (writer, who) => {
          const positions: Position[] = []
          for (let n = 0; n < each; n++) {
            positions.push(await writer.append([set(`${who}-${n}`, 'x')]))
          }
          return positions
        }),
      )
      writing = false
      await reading
      await reader.catchUp()
      assert.equal(reader.entries.length, racingAppends)
      for (const [who, positions] of acknowledged.entries()) {
        for (const [n, { id, hash }] of positions.entries()) {
          const { key, hash: found } = reader.entries[id - 1]!
          assert.deepEqual([key, found], [`${who}-${n}`, hash])
        }
      }
      assert.equal((await log.snapshot()).entries.size, racingAppends)
    },
  )

  test(`${engine}: logs know nothing of each other`, async (t) => {
    const store = await (await open())()
    t.after(() => store.close())
    const [units, kv] = [store.log('units'), store.log('kv-3')]
    const writer = await LogWriter.at(units)
    await writer.append([set('a', '1')])
    const head = await kv.head()
    assert.equal(head.id, 0)
    assert.notEqual(head.log, writer.position.log)
    assert.equal((await kv.snapshot()).entries.size, 0)
  })

  test(`${engine}: the status names its kind, its version and a healthy member`, async (t) => {
    const store = await (await open())()
    t.after(() => store.close())
    const status = await store.status()
    assert.equal(status.kind, store.kind)
    assert.equal(status.isHealthy, true)
    assert.equal(status.problem, undefined)
    assert.match(status.version ?? '', /^\d+\./)
    assert.ok(status.members.some((member) => member.isHealthy && member.role !== 'replica'))
  })
}
