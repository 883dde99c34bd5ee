/** The page of error codes, from `src/base/error-codes.ts`. */
import { ERROR_CODES } from '../../src/base/error-codes.ts'
import type { ErrorRow } from '../../src/base/error-row.ts'
import { markdownTable, pageHead } from './page.ts'

/** Where errors come from, in the order in which they are read. */
const SOURCES: Readonly<Record<ErrorRow['source'], readonly [title: string, meaning: string]>> = {
  client: ['Client', 'The request, or the command, asks for what is not there or not allowed.'],
  config: ['Configuration', 'What the operator wrote, or the place the node runs in.'],
  unit: ['Unit', 'The code or the fields of a unit.'],
  origin: [
    'Origin',
    'The server behind the edge. Clients get the status, and the word of RFC 9209 in `Proxy-Status`.',
  ],
  peer: ['Peer', 'Another part of Orla, over the network.'],
  internal: ['Internal', 'Orla itself, or its machine.'],
}

export function errorsPage(): string {
  const rows = Object.entries<ErrorRow>(ERROR_CODES).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const sections = Object.entries(SOURCES).map(([source, [title, meaning]]) => {
    const own = rows.filter(([, row]) => row.source === source)
    return `## ${title}\n\n${meaning}\n\n${markdownTable(
      ['code', 'what happened', 'what would be right', 'status', 'try again?'],
      own.map(([code, row]) => [
        `\`${code}\``,
        row.title,
        row.hint,
        String(row.status),
        row.retry ? 'yes' : 'no',
      ]),
    )}`
  })
  return `${[
    pageHead('Errors', '`src/base/error-codes.ts`').trimEnd(),
    'Every error has a code. The command prints its sentence and its hint and ends with 1 (2 for `not-finished`); the admin API\nanswers with problem details (RFC 9457) whose `type` is `urn:orla:error:CODE`. *Try again?* says whether the same\nrequest may succeed later without anybody doing anything.\n\nWhy a unit failed is told by other words: `cpu wall memory crash throw syntax`, see [units](../guides/units.md#when-a-unit-fails).',
    ...sections,
  ].join('\n\n')}\n`
}
