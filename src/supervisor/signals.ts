/**
 * What signals mean to a node: the first SIGTERM or SIGINT drains it, a second one ends it at once; SIGHUP reads the
 * configuration again, or where there is none to read drains too; SIGUSR1 opens the access logs anew, as programs that
 * rotate logs expect it; SIGUSR2 has the program taken over by the one that stands in its place now.
 */
import { unblockSignal } from '../base/signal-mask.ts'
import { stderrLog, type Log } from './log.ts'
import type { Supervisor } from './supervisor.ts'

/** 128 + the number of the signal, as shells have it. */
const ENDED_BY = { SIGTERM: 143, SIGINT: 130, SIGHUP: 129 } as const
const SIGNALS = Object.keys(ENDED_BY) as (keyof typeof ENDED_BY)[]

/** Resolves to the exit code once the node has ended: 0 after a drain, and where another program took over. */
export async function untilSignalled(supervisor: Supervisor, log: Log = stderrLog): Promise<number> {
  const ended = Promise.withResolvers<number>()
  let isDraining = false
  let code = 0
  const onSignal = (signal: keyof typeof ENDED_BY) => {
    // The second one also ends the wait of the first.
    if (isDraining) code = ENDED_BY[signal]
    else log.info(`${signal}: draining, requests in progress are answered; a second signal ends at once`)
    const end = isDraining ? supervisor.stop() : supervisor.drain()
    isDraining = true
    end.then(() => ended.resolve(code), ended.reject)
  }
  const onAny = (signal: keyof typeof ENDED_BY) => {
    if (signal === 'SIGHUP' && supervisor.canReload) void supervisor.reload(signal)
    else onSignal(signal)
  }
  for (const signal of SIGNALS) process.on(signal, onAny)
  const reopen = () => supervisor.reopenLogs()
  process.on('SIGUSR1', reopen)
  unblockSignal('SIGUSR1')
  // How it went is told by the log.
  const upgrade = () => void supervisor.upgrade().catch(() => undefined)
  process.on('SIGUSR2', upgrade)
  supervisor.handedOver.then(() => ended.resolve(0), ended.reject)
  try {
    return await ended.promise
  } finally {
    for (const signal of SIGNALS) process.off(signal, onAny)
    process.off('SIGUSR1', reopen)
    process.off('SIGUSR2', upgrade)
  }
}
