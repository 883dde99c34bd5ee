/** Tells servers of zones that changed; of a zone that changes again before a server has answered, it is told anew. */
import type { DnsLog } from '../../../contract/dns.ts'
import type { DnsName } from '../../../wire/dns/name.ts'
import type { DnsRecord } from '../../../wire/dns/record.ts'
import { type Notifying, notify, type NotifyOptions } from '../../../zone/notify-out.ts'
import { type Recipients, recipientsOf } from './recipients.ts'

/** So many wait for an answer; what is beyond that is not told: whoever has the zone looks by itself after a while. */
const RUNNING_MAX = 1000

export class Notifier {
  readonly #all: readonly Recipients[]
  readonly #options: NotifyOptions
  readonly #log: DnsLog
  readonly #soaOf: (zone: DnsName) => DnsRecord | undefined
  readonly #running = new Map<string, Notifying>()

  constructor(
    all: readonly Recipients[],
    options: NotifyOptions,
    log: DnsLog,
    soaOf: (zone: DnsName) => DnsRecord | undefined,
  ) {
    this.#all = all
    this.#options = options
    this.#log = log
    this.#soaOf = soaOf
  }

  tell(zone: DnsName): void {
    const soa = this.#soaOf(zone)
    for (const server of recipientsOf(this.#all, zone)?.servers ?? []) {
      const shown = `${server.host}:${server.port}`
      const key = `${shown} ${zone.key}`
      this.#running.get(key)?.stop()
      if (this.#running.size >= RUNNING_MAX) {
        this.#log.warn(
          `${shown} is not told of ${zone.toString()}: ${RUNNING_MAX} others were not answered yet`,
        )
        continue
      }
      const notifying = notify(zone, soa, server, this.#options)
      this.#running.set(key, notifying)
      void notifying.done.then((trouble) => {
        if (this.#running.get(key) !== notifying) return
        this.#running.delete(key)
        if (trouble === undefined) this.#log.info(`${shown} was told of ${zone.toString()}`)
        else this.#log.warn(`${shown} was not told of ${zone.toString()}: ${trouble}`)
      })
    }
  }

  stop(): void {
    const running = [...this.#running.values()]
    this.#running.clear()
    for (const notifying of running) notifying.stop()
  }
}
