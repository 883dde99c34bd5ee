/** Server-sent events (WHATWG HTML §9.2.6), read from a byte stream as it comes. */
export interface ServerEvent {
  /** `message` where none was named. */
  readonly event: string
  readonly data: string
}

export async function* readEvents(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder()
  let rest = ''
  let event = ''
  let data: string[] = []
  for await (const chunk of bytes) {
    rest += decoder.decode(chunk, { stream: true })
    // A CR at the very end may be half of a CRLF: it waits for what follows.
    for (let end = rest.search(/\r\n|\n|\r(?!$)/); end >= 0; end = rest.search(/\r\n|\n|\r(?!$)/)) {
      const line = rest.slice(0, end)
      rest = rest.slice(rest.startsWith('\r\n', end) ? end + 2 : end + 1)
      if (line === '') {
        if (data.length > 0) yield { event: event === '' ? 'message' : event, data: data.join('\n') }
        event = ''
        data = []
        continue
      }
      const [, field, value] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!
      if (field === 'event') event = value ?? ''
      else if (field === 'data') data.push(value ?? '')
    }
  }
}
