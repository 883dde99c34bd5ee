/**
 * A worker for tests of the supervisor: a real process that speaks the real messages and serves no HTTP of its own, but tells
 * on its port what it would run. What it does wrong on purpose is written in the units it is given:
 *
 *     // refuse-try, refuse-prepare   says that the unit does not run
 *     // unknown-field               the module has a field `path`
 *     // hang-try                     worker 0 never answers
 *     // die-try, die-prepare         ends while it is asked (prepare: worker 0 alone)
 *     // hang-prepare                 worker 0 does not answer until it is sent SIGUSR2
 */
import { createServer } from 'node:http'
import { openSharedWords } from '../../base/shared-words.ts'
import type { FromWorker, Quarantine, TailLine, ToWorker, UnitSet } from '../../contract/messages.ts'
import { PHASE_BITS, versionKey } from '../../contract/unit.ts'
import { restore } from '../../unit/abridged-set.ts'

type Start = Extract<ToWorker, { kind: 'start' }>

const tell = (message: FromWorker): void => void (process.connected && process.send!(message))
const sets = new Map<number, UnitSet>()
let start: Start
let words: Int32Array
let quarantined: readonly Quarantine[] = []
let isTailing = false
let scrapes = 0
let isDraining = false

/** What a request would run now: read as a worker reads it, through the shared word. */
const answer = () => {
  const epoch = Atomics.load(words, 0)
  const set = sets.get(epoch)
  return {
    worker: start.worker,
    pid: process.pid,
    epoch,
    units: set?.enabled ? set.units.map(versionKey) : [],
    env: Object.fromEntries(set?.units.map((unit) => [unit.name, unit.env]) ?? []),
    lastGood: Object.values(set?.lastGood ?? {}).map(versionKey),
    quarantined: quarantined.map(versionKey),
    isTailing,
    node: start.config.node.name,
    environment: Object.keys(process.env),
  }
}

const server = createServer((request, response) => {
  const line: TailLine = {
    at: Date.now(),
    unit: 'speaker',
    version: 1,
    level: 'info',
    message: request.url ?? '',
    worker: start.worker,
  }
  if (request.url?.startsWith('/say/') && isTailing) tell({ kind: 'tail', lines: [line], dropped: 0 })
  if (request.url?.startsWith('/fail/'))
    tell({ kind: 'tail', lines: [{ ...line, level: 'error', reason: 'throw' }], dropped: 3 })
  const [, verb, name, version] = request.url?.split('/') ?? []
  if (verb === 'quarantine') {
    tell({
      kind: 'quarantine',
      quarantine: { name: name!, version: Number(version), reason: 'crash', at: Date.now() },
    })
  }
  if (verb === 'sandbox') tell({ kind: 'sandboxes', pids: [Number(name)] })
  const reply = () => response.end(JSON.stringify(answer()))
  if (verb === 'slow') {
    response.flushHeaders()
    setTimeout(reply, Number(name))
  } else reply()
})

// A drain waits for connections to end: kept ones would hold it for seconds.
server.keepAliveTimeout = 20

async function listen(): Promise<void> {
  process.title = `orla fake worker ${start.worker}`
  words = openSharedWords(start.shared)
  sets.set(start.units.epoch, start.units)
  quarantined = start.quarantined
  server.once('error', (error) => tell({ kind: 'failed', code: 'port-in-use', message: error.message }))
  server.listen({ fd: start.sockets[0]!.fd }, () => tell({ kind: 'ready', dns: [] }))
}

const allOf = ({ units, lastGood }: UnitSet) => [...units, ...Object.values(lastGood)]

/** Whether a unit that is not live yet carries the mark. */
function isNewWith(set: UnitSet, mark: string): boolean {
  const live = new Set(sets.get(Atomics.load(words, 0))?.units.map(versionKey))
  return set.units.some((unit) => !live.has(versionKey(unit)) && unit.code.includes(mark))
}

process.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'start':
      start = message
      return void listen()
    case 'try': {
      const { code } = message.unit
      if (code.includes('die-try')) process.exit(9)
      if (start.worker === 0 && code.includes('hang-try')) return
      if (code.includes('refuse-try')) {
        return tell({ kind: 'tried', id: message.id, problems: ['it was told to refuse'] })
      }
      const fields = code.includes('unknown-field') ? { path: ['/x'] } : {}
      return tell({
        kind: 'tried',
        id: message.id,
        problems: [],
        module: { phases: PHASE_BITS.access, fields },
      })
    }
    case 'prepare': {
      const held = new Map(allOf(sets.get(Atomics.load(words, 0))!).map((unit) => [versionKey(unit), unit]))
      const units = restore(message.units, (key, sent) => sent ?? held.get(key)!)
      if (start.worker === 0 && isNewWith(units, 'die-prepare')) process.exit(9)
      const done = () => {
        const problems = isNewWith(units, 'refuse-prepare') ? ['it was told to refuse'] : []
        if (problems.length === 0) sets.set(units.epoch, units)
        tell({ kind: 'prepared', epoch: units.epoch, problems })
      }
      if (start.worker === 0 && isNewWith(units, 'hang-prepare')) process.once('SIGUSR2', done)
      else done()
      return
    }
    case 'abort':
      return void sets.delete(message.epoch)
    case 'quarantine':
      quarantined = message.quarantined
      return
    case 'metrics':
      scrapes += 1
      return tell({
        kind: 'metrics',
        id: message.id,
        samples: [{ name: 'fake_scrapes_total', labels: {}, value: scrapes }],
      })
    case 'tail':
      isTailing = message.on
      return
    case 'purge':
      return tell({ kind: 'purged', id: message.id, objects: message.purges.map(() => 1) })
    case 'drain':
      if (isDraining) return
      isDraining = true
      server.close(() => process.send!({ kind: 'drained' } satisfies FromWorker, () => process.exit(0)))
      return
    case 'committed':
  }
})
process.on('disconnect', () => process.exit(0))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {})
