/** Memory and CPU time of the node's processes, by role. CPU time of processes that have ended stays in the sum. */
import type { MetricSample } from '../../contract/messages.ts'
import { cpuSeconds, proportionalBytes, residentBytes, startSeconds, startTicks } from '../../base/proc.ts'

export type Role = 'supervisor' | 'worker' | 'sandbox' | 'checker'

export interface RoleProcess {
  readonly role: Role
  readonly pid: number
}

export class ProcessMetrics {
  /** CPU seconds by role and process, the ended ones too; see `#key`. */
  readonly #seconds = new Map<string, { readonly role: Role; seconds: number; readonly pid: number }>()
  readonly #retired = new Map<Role, number>()

  /** Notes what each has used so far. Called now and then, so that little is lost of one that ends. */
  look(processes: readonly RoleProcess[]): void {
    const alive = new Set<string>()
    for (const { role, pid } of processes) {
      const ticks = startTicks(pid)
      if (ticks === undefined) continue
      const key = `${pid} ${ticks}`
      alive.add(key)
      this.#seconds.set(key, { role, pid, seconds: cpuSeconds(pid) })
    }
    for (const [key, { role, seconds }] of this.#seconds) {
      if (alive.has(key)) continue
      this.#retired.set(role, (this.#retired.get(role) ?? 0) + seconds)
      this.#seconds.delete(key)
    }
  }

  samples(processes: readonly RoleProcess[]): readonly MetricSample[] {
    this.look(processes)
    const roles = [...new Set([...this.#retired.keys(), ...processes.map(({ role }) => role)])]
    return roles.flatMap((role) => {
      const own = processes.filter((process) => process.role === role)
      const sum = (of: (pid: number) => number) => own.reduce((total, { pid }) => total + of(pid), 0)
      const running = [...this.#seconds.values()].filter((entry) => entry.role === role)
      const seconds = running.reduce((total, entry) => total + entry.seconds, this.#retired.get(role) ?? 0)
      const sample = (name: string, value: number): MetricSample => ({ name, labels: { role }, value })
      return [
        sample('orla_processes', own.length),
        sample('orla_process_cpu_seconds_total', seconds),
        sample('orla_process_resident_bytes', sum(residentBytes)),
        sample('orla_process_proportional_bytes', sum(proportionalBytes)),
        ...(own.length === 0
          ? []
          : [
              sample('orla_process_start_time_seconds', Math.max(...own.map(({ pid }) => startSeconds(pid)))),
            ]),
      ]
    })
  }
}
