/** The head of a request without some of its fields, which are told by their names in lower case. */
import { withoutFields, type RequestHead } from '../wire/http1/message.ts'

type IsRefused = (name: string) => boolean

/** The field lines of a head as received, without its first line. */
export function withoutLines(raw: string, isRefused: IsRefused): string {
  return raw
    .split('\r\n')
    .slice(1, -1)
    .filter((line) => !isRefused(line.slice(0, line.indexOf(':')).toLowerCase()))
    .map((line) => `${line}\r\n`)
    .join('')
}

/** The line before the fields, with its end. */
export const firstLine = (raw: string): string => raw.slice(0, raw.indexOf('\r\n') + 2)

const isRange = (name: string): boolean => name === 'range' || name === 'if-range'

export const withoutRange = ({ headers, raw }: RequestHead): Pick<RequestHead, 'headers' | 'raw'> => ({
  headers: withoutFields(headers, isRange),
  raw: firstLine(raw) + withoutLines(raw, isRange),
})
