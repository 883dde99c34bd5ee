/**
 * The main file of a worker process: does what the supervisor says (see `contract/messages.ts`).
 *
 * It ends when the supervisor is gone, however that ended: a worker alone would hold the port and never change again.
 */
import { setFlagsFromString } from 'node:v8'
import { systemClock } from './base/clock.ts'
import { EdgeError } from './base/errors.ts'
import type { FromWorker, RequestTrace, TailLine, ToWorker } from './contract/messages.ts'
import { composeWorker, type WorkerNode } from './compose.ts'
import { WorkerLog } from './base/worker-log.ts'

/** Lines for `orla tail` that wait for the next message; more are counted and dropped. */
const TAIL_LINES_MAX = 500
const TAIL_EVERY_MS = 50

// Read when an isolate is made: it reaches those of inline units, whose young generation need not be large.
setFlagsFromString('--max-semi-space-size=4')

let node: WorkerNode | undefined
let isTailing = false
let lines: TailLine[] = []
let dropped = 0
let tailTimer: NodeJS.Timeout | undefined

const tell = (message: FromWorker): void => {
  // The supervisor may be gone before we hear of it; `disconnect` tells.
  if (process.connected) process.send!(message, undefined, undefined, () => undefined)
}

const log = new WorkerLog((lines) => tell({ kind: 'log', ...lines }))

function onLine(line: TailLine): void {
  // What a unit says is for those who listen; how it fails is always told.
  if (!isTailing && line.reason === undefined) return
  if (lines.length >= TAIL_LINES_MAX) dropped += 1
  else lines.push(line)
  tailTimer ??= setTimeout(sendLines, TAIL_EVERY_MS)
}

/** What its units logged goes ahead of it. */
function onTrace(trace: RequestTrace): void {
  if (lines.length > 0) {
    clearTimeout(tailTimer)
    sendLines()
  }
  tell({ kind: 'trace', trace })
}

function sendLines(): void {
  tailTimer = undefined
  const lost = dropped + (node?.runner.takeDropped() ?? 0)
  if (lines.length === 0 && lost === 0) return
  tell({ kind: 'tail', lines, dropped: lost })
  lines = []
  dropped = 0
  // What is dropped from now on brings no line that would tell: it is looked for once more.
  tailTimer = setTimeout(sendLines, TAIL_EVERY_MS)
}

async function start(message: Extract<ToWorker, { kind: 'start' }>): Promise<void> {
  process.title = `orla worker ${message.worker}`
  try {
    node = composeWorker(
      message,
      { clock: systemClock, random: Math.random, warn: (line) => log.warn(line) },
      {
        onLine,
        onTrace,
        onQuarantine: (quarantine) => tell({ kind: 'quarantine', quarantine }),
        onSandboxes: (pids) => tell({ kind: 'sandboxes', pids }),
        onShadow: (example) => tell({ kind: 'shadow', example }),
        onKvBatch: (batch) => tell({ kind: 'kv', batch }),
        onInvalidated: (purges) => tell({ kind: 'invalidated', purges }),
        onUnitPurge: (asked) => tell({ kind: 'unitPurge', ...asked }),
        onBanning: tell,
      },
    )
    await node.listen(message.sockets)
    tell({ kind: 'ready', dns: node.dns.addresses })
  } catch (error) {
    const code =
      error instanceof EdgeError ? error.code : ((error as NodeJS.ErrnoException).code ?? 'internal')
    tell({ kind: 'failed', code, message: (error as Error).message })
  }
}

async function onMessage(message: ToWorker): Promise<void> {
  if (message.kind === 'start') return start(message)
  if (node === undefined) return
  switch (message.kind) {
    case 'try':
      return tell({ kind: 'tried', id: message.id, ...(await node.runner.try(message.unit)) })
    case 'test':
      return tell({ kind: 'tested', id: message.id, ...(await node.test(message)) })
    case 'prepare':
      return tell({
        kind: 'prepared',
        epoch: message.units.epoch,
        problems: await node.units.prepare(message.units),
      })
    case 'committed':
      // An idle worker flips now, not with its next request: old versions are let go in time.
      node.units.matcher()
      return
    case 'abort':
      return node.units.abort(message.epoch)
    case 'quarantine':
      return node.runner.quarantine(message.quarantined)
    case 'kv':
      return node.calls.kv.done(message.store, message.id, message.results)
    case 'tls':
      node.useTls(message.tls)
      return tell({ kind: 'tlsUsed', id: message.id })
    case 'telemetry':
      return node.telemetry.use(message.settings)
    case 'runTimer': {
      const result = await node.runTimer(message.name, message.version)
      return tell({ kind: 'timerRan', id: message.id, result })
    }
    case 'metrics':
      return tell({ kind: 'metrics', id: message.id, samples: node.metrics() })
    case 'origins':
      return tell({ kind: 'origins', id: message.id, origins: node.origins() })
    case 'caches':
      return tell({ kind: 'caches', id: message.id, caches: node.caches(message.top) })
    case 'limitTop': {
      const { id, site, name, count } = message
      return tell({ kind: 'limitTop', id, top: node.limitTop(site, name, count) })
    }
    case 'steer': {
      const { id, name, client } = message
      return tell({ kind: 'steered', id, explanations: node.steer(name, client) })
    }
    case 'explain': {
      const explanation = node.explain(message.url, message.headers)
      return tell({ kind: 'explained', id: message.id, explanation })
    }
    case 'tail':
      isTailing = message.on
      node.runner.setTail(message.on)
      return
    case 'purge': {
      const { id, purges, from } = message
      return node.purger.apply(purges, from, (objects) => tell({ kind: 'purged', id, objects }))
    }
    case 'unitPurged':
      return node.calls.purge.done(message.id, message.outcome)
    case 'bans':
      node.banning.use(message.set)
      return tell({ kind: 'bansUsed', id: message.id })
    case 'banDone':
      return node.banning.done(message.id, message.outcome)
    case 'edges':
      node.dns.edges = message.edges
      return
    case 'reopen':
      return node.reopenLogs()
    case 'drain':
      await node.drain()
      if (tailTimer !== undefined) sendLines()
      log.flush()
      process.send?.({ kind: 'drained' } satisfies FromWorker, () => process.exit(0))
  }
}

process.on('message', (message: ToWorker) => void onMessage(message))
process.on('disconnect', () => process.exit(0))
// The supervisor decides when a worker ends: a Ctrl-C reaches the whole group at once.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const)
  process.on(signal, () => {})
