/** Figures of the process, under the names that all clients of Prometheus give them. */
import { readdirSync } from 'node:fs'

export function processFigures(): string {
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed } = process.memoryUsage()
  const figures: readonly (readonly [name: string, kind: string, help: string, value: number])[] = [
    [
      'process_cpu_seconds_total',
      'counter',
      'Total user and system CPU time spent in seconds.',
      (user + system) / 1e6,
    ],
    ['process_resident_memory_bytes', 'gauge', 'Resident memory size in bytes.', rss],
    [
      'process_start_time_seconds',
      'gauge',
      'Start time of the process since unix epoch in seconds.',
      startedS(),
    ],
    ['process_open_fds', 'gauge', 'Number of open file descriptors.', openFiles()],
    ['nodejs_heap_size_used_bytes', 'gauge', 'Process heap size used from Node.js in bytes.', heapUsed],
  ]
  return figures
    .map(([name, kind, help, value]) => `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n${name} ${value}\n`)
    .join('')
}

const startedS = (): number => Math.round((Date.now() - process.uptime() * 1000) / 10) / 100

function openFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return 0
  }
}
