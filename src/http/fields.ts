/** Header lines that we wrote ourselves (`name: value\r\n`), back to a list. Names that units set are spelled as they wrote them. */
import type { HeaderList } from '../wire/http1/message.ts'

export function parseHeaderLines(fields: string): HeaderList {
  const list: string[] = []
  let at = 0
  while (at < fields.length) {
    const end = fields.indexOf('\r\n', at)
    const colon = fields.indexOf(':', at)
    list.push(fields.slice(at, colon), fields.slice(colon + 2, end))
    at = end + 2
  }
  return list
}
