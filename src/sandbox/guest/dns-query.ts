/**
 * What the handler `dns` is given: a query, read from one line (see `protocol.ts`) when it is first asked for.
 *
 * Nothing of it can be changed: a unit that wants something else asked returns `{ ask }`.
 */
import { checkMaker } from './illegal-constructor.ts'
import type { Invocation } from './invocation.ts'
import { freeze, indexOf, slice, toStringTagSymbol } from './primordials.ts'

export class UnitQuery {
  readonly #run: Invocation
  #isRead = false
  #type = ''
  #class = ''
  #address = ''
  #port = ''
  #proto = ''
  #transport = ''
  #do = ''
  #zone = ''
  #name = ''

  constructor(maker: unknown, run: Invocation) {
    checkMaker(maker)
    this.#run = run
  }

  get name(): string {
    if (!this.#isRead) this.#read()
    return this.#name
  }

  get type(): string {
    if (!this.#isRead) this.#read()
    return this.#type
  }

  get class(): string {
    if (!this.#isRead) this.#read()
    return this.#class
  }

  get client(): { readonly address: string; readonly port: number } {
    if (!this.#isRead) this.#read()
    return freeze({ address: this.#address, port: +this.#port })
  }

  get proto(): string {
    if (!this.#isRead) this.#read()
    return this.#proto
  }

  get transport(): string {
    if (!this.#isRead) this.#read()
    return this.#transport
  }

  /** Whether records of DNSSEC are wanted. */
  get do(): boolean {
    if (!this.#isRead) this.#read()
    return this.#do === '1'
  }

  get zone(): string {
    if (!this.#isRead) this.#read()
    return this.#zone
  }

  /** What plugins in front tell of the query. */
  get tags(): Readonly<Record<string, string>> {
    return freeze(this.#run.metaJson.tags ?? {})
  }

  get [toStringTagSymbol](): string {
    return 'Query'
  }

  #read(): void {
    this.#isRead = true
    const { head } = this.#run
    let from = 0
    const next = (): string => {
      const start = from
      const end = indexOf(head, ' ', from)
      from = end + 1
      return slice(head, start, end)
    }
    this.#type = next()
    this.#class = next()
    this.#address = next()
    this.#port = next()
    this.#proto = next()
    this.#transport = next()
    this.#do = next()
    this.#zone = next()
    this.#name = slice(head, from)
  }
}
