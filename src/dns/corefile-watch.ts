/** Looks at a Corefile every so often (`reload`), and says when it reads otherwise than what serves. */
import { createHash } from 'node:crypto'
import type { DnsMetrics } from '../contract/dns.ts'
import type { Corefile } from './corefile/corefile.ts'

export interface WatchOptions {
  readonly metrics: DnsMetrics
  readonly random: () => number
  /** What the Corefile says now; rejects where it cannot be read. */
  read(): Promise<Corefile>
  reload(): Promise<void>
  info(text: string): void
  error(text: string): void
}

export class CorefileWatch {
  readonly #options: WatchOptions
  readonly #failed
  readonly #version
  #timer: NodeJS.Timeout | undefined
  /** What was read last, whether it serves or was refused. */
  #seen = ''
  #served = ''

  constructor(options: WatchOptions) {
    this.#options = options
    this.#failed = options.metrics.counter(
      'coredns_reload_failed_total',
      'Counter of the number of failed reload attempts.',
    )
    this.#version = options.metrics.gauge(
      'coredns_reload_version_info',
      'Info about the Corefile that serves.',
      ['hash', 'value'],
    )
  }

  /** That one serves now. Without `often` it is looked at no more. */
  serves(
    corefile: Corefile,
    often: { readonly everyMs: number; readonly jitterMs: number } | undefined,
  ): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const hash = hashOf(corefile)
    if (this.#served !== '' && this.#served !== hash) this.#version.set(0, 'sha512', this.#served)
    this.#seen = this.#served = hash
    if (!often) return
    this.#version.set(1, 'sha512', hash)
    const everyMs = often.everyMs + (this.#options.random() - 0.5) * often.jitterMs
    this.#look(everyMs)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #look(everyMs: number): void {
    const timer = setTimeout(async () => {
      await this.#compare()
      // A reload that was done began to look by itself.
      if (this.#timer === timer) this.#look(everyMs)
    }, everyMs)
    this.#timer = timer.unref()
  }

  async #compare(): Promise<void> {
    try {
      const read = await this.#options.read().then(hashOf, (error: Error) => `unreadable: ${error.message}`)
      if (read === this.#seen) return
      this.#seen = read
      this.#options.info('Reloading')
      await this.#options.reload()
      this.#options.info('Reloading complete')
    } catch (error) {
      this.#failed.add(1)
      this.#options.error(`Corefile changed but reload failed: ${(error as Error).message}`)
    }
  }
}

const hashOf = ({ blocks, plugins }: Corefile): string =>
  createHash('sha512')
    .update(JSON.stringify([blocks, plugins]))
    .digest('hex')
