/** Server-sent events (WHATWG HTML §9.2.6), read from a byte stream as it comes. */
export interface ServerEvent {
  /** `message` where none was named. */
  readonly event: string
  readonly data: string
}

/** Takes bytes as they come and gives the events that they complete. What is looked at once is not looked at again, however long a line is. */
export class EventReader {
  readonly #decoder = new TextDecoder()
  #rest = ''
  /** What came behind it without an end of a line: put together when one comes, as each time copies the whole. */
  #later: string[] = []
  #laterLength = 0
  /** Up to there is no end of a line in it. */
  #scanned = 0
  #event = ''
  #data: string[] = []

  push(chunk: Uint8Array): readonly ServerEvent[] {
    const text = this.#decoder.decode(chunk, { stream: true })
    this.#later.push(text)
    this.#laterLength += text.length
    if (!/[\r\n]/.test(text) && !this.#rest.endsWith('\r')) return []
    this.#rest += this.#later.join('')
    this.#later = []
    this.#laterLength = 0
    const events: ServerEvent[] = []
    let start = 0
    for (let end = this.#lineEnd(this.#scanned); end >= 0; end = this.#lineEnd(start)) {
      const event = this.#take(this.#rest.slice(start, end))
      if (event) events.push(event)
      start = this.#rest.startsWith('\r\n', end) ? end + 2 : end + 1
    }
    this.#rest = this.#rest.slice(start)
    // A CR at the very end may be half of a CRLF: it waits for what follows.
    this.#scanned = this.#rest.endsWith('\r') ? this.#rest.length - 1 : this.#rest.length
    return events
  }

  /** Characters that wait for the rest of their line or event. */
  get waiting(): number {
    return this.#data.reduce((sum, line) => sum + line.length, this.#rest.length + this.#laterLength)
  }

  #lineEnd(from: number): number {
    const feed = this.#rest.indexOf('\n', from)
    const carriage = this.#rest.indexOf('\r', from)
    if (carriage < 0 || carriage === this.#rest.length - 1) return feed
    return feed < 0 ? carriage : Math.min(feed, carriage)
  }

  #take(line: string): ServerEvent | undefined {
    if (line === '') {
      const event = { event: this.#event === '' ? 'message' : this.#event, data: this.#data.join('\n') }
      const isWhole = this.#data.length > 0
      this.#event = ''
      this.#data = []
      return isWhole ? event : undefined
    }
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line.startsWith(' ', colon + 1) ? colon + 2 : colon + 1)
    if (field === 'event') this.#event = value
    else if (field === 'data') this.#data.push(value)
    return undefined
  }
}

export async function* readEvents(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  const reader = new EventReader()
  for await (const chunk of bytes) yield* reader.push(chunk)
}
