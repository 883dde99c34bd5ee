import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readEvents } from '../base/server-events.ts'
import type { EdgeHello, FeedSource } from '../contract/replication.ts'
import { REPLICATION_PROTOCOL } from '../contract/replication.ts'
import type { Effect, LogEntry, Position } from '../contract/store.ts'
import { chain, GENESIS } from '../store/chain.ts'
import { EdgeFeed } from './edge-feed.ts'

const START: Position = { log: 'l', id: 0, hash: GENESIS }
const set = (key: string, value: string): Effect => ({ operation: 'SET', key, value })
const endOf = (entries: readonly LogEntry[]): Position => ({ ...START, ...entries.at(-1) })
const hello = (units: Position): EdgeHello => ({
  protocol: REPLICATION_PROTOCOL,
  name: 'e',
  instance: 'i',
  groups: [],
  addresses: [],
  version: '0',
  positions: { units },
})

/** A log that a test can put anything into, from its beginning. */
function source(log: Kept, more: Partial<FeedSource> = {}): FeedSource {
  const position = (): Position => {
    const { id, hash } = log.entries.at(-1) ?? START
    return { log: START.log, id, hash }
  }
  return {
    log: 'units',
    position,
    entriesAfter({ id, hash }, limit) {
      const known = id === 0 ? GENESIS : log.entries[id - 1]?.hash
      return known === hash ? log.entries.slice(id, id + limit) : 'reset'
    },
    snapshot: () => ({ position: position(), entries: new Map() }),
    ...more,
  }
}

/** A feed whose beats come when a test says so. */
function feedOf(of: FeedSource) {
  let beat = () => {}
  const timers = { later: (_ms: number, work: () => void) => ((beat = work), () => {}) }
  const welcome = () => ({ control: 'c', version: '0', key: 'k' })
  return { feed: new EdgeFeed({ sources: [of], timers, welcome, now: () => 0 }), beat: () => beat() }
}

const followed = (feed: EdgeFeed, edge: EdgeHello) =>
  feed.follow(
    edge,
    () => true,
    () => {},
  )

/** The events up to the first beat. */
async function told(stream: ReadableStream<Uint8Array>): Promise<readonly string[]> {
  const events: string[] = []
  for await (const { event } of readEvents(stream)) {
    if (event === 'beat') break
    events.push(event)
  }
  return events
}

interface Kept {
  entries: readonly LogEntry[]
}

const whole = chain(START, [set('a', '1'), set('b', '2'), set('c', '3')], 1)

test('an edge that is ahead of the log is told to start anew', async () => {
  const { feed } = feedOf(source({ entries: whole.slice(0, 1) }))
  const stream = followed(feed, hello(endOf(whole)))
  assert.deepEqual(await told(stream), ['welcome', 'reset', 'loaded'])
})

test('what was written down of a history that is gone is told nobody', async () => {
  const log: Kept = { entries: whole }
  const { feed } = feedOf(source(log))
  const stand = hello(endOf(whole.slice(0, 1)))
  await told(followed(feed, stand))
  // An engine that lost the last two, and got two others.
  const other = chain(endOf(whole.slice(0, 1)), [set('x', '1'), set('y', '2')], 2)
  log.entries = [...whole.slice(0, 1), ...other]
  let text = ''
  for await (const { event, data } of readEvents(followed(feed, stand))) {
    if (event === 'beat') break
    text += data
  }
  assert.match(text, /"key":"x"/)
  assert.doesNotMatch(text, /"key":"b"/)
})

test('a source that cannot be read ends the connection, and who counts connections is told', async () => {
  const { feed } = feedOf(
    source(
      { entries: whole },
      {
        entriesAfter: () => {
          throw new Error('the disk is gone')
        },
      },
    ),
  )
  let ends = 0
  await assert.rejects(
    told(
      feed.follow(
        hello(START),
        () => true,
        () => ends++,
      ),
    ),
    /the disk is gone/,
  )
  assert.equal(ends, 1)
  assert.equal(feed.size, 0)
})

test('an edge that sends clients to edges is told how all of them do, with each beat', async () => {
  const edges = [
    { name: 'b', groups: ['eu'], isConnected: true, seenAt: 1, load: 0.5, isDraining: false },
  ] as const
  const timers = { later: () => () => {} }
  const welcome = () => ({ control: 'c', version: '0', key: 'k' })
  const of = source({ entries: whole })
  const feed = new EdgeFeed({ sources: [of], timers, welcome, now: () => 0, edges: () => edges })
  const stand = hello(endOf(whole))
  assert.deepEqual(await told(followed(feed, stand)), ['welcome'])
  for await (const { event, data } of readEvents(followed(feed, { ...stand, isSteering: true }))) {
    if (event === 'welcome') continue
    assert.equal(event, 'edges')
    assert.deepEqual(JSON.parse(data), { edges })
    break
  }
})
