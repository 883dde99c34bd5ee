/** The page of phases and stages, from the tables that the request goes by. */
import ts from 'typescript'
import { DEFAULT_MANIFEST, failurePolicy, PHASES, type Phase } from '../../src/contract/unit.ts'
import { STAGES } from '../../src/http/stages.ts'
import { markdownTable, pageHead } from './page.ts'
import { docOf, parseSource } from './typescript.ts'

interface Handler {
  /** As its author writes it: `access(request, response, edge)`. */
  readonly call: string
  readonly doc: string
  readonly returns: string
}

const RETURNS: Readonly<Record<string, string>> = {
  Answer: 'nothing, or a `Response`',
  Nothing: 'nothing',
  Filtered: 'nothing, bytes or text',
  'Response | Promise<Response>': 'a `Response`',
  'DnsAnswer | Promise<DnsAnswer>': 'nothing, records, or another question',
}

/** The handlers as the author's types have them. */
function readHandlers(): ReadonlyMap<string, Handler> {
  const source = parseSource('src/unit/types/orla.d.ts')
  const methods = source.statements
    .filter((statement) => ts.isInterfaceDeclaration(statement))
    .filter(({ name }) => name.text === 'Handlers' || name.text === 'BytesFilter')
    .flatMap(({ members }) => members.filter((member) => ts.isMethodSignature(member)))
  return new Map(
    methods.map((method) => {
      const name = method.name.getText()
      const call = `${name}(${method.parameters.map((parameter) => parameter.name.getText()).join(', ')})`
      const type = method.type!.getText()
      const returns = RETURNS[type]
      if (returns === undefined) throw new Error(`scripts/docs/phases.ts has no words for ${type}`)
      return [name, { call, doc: docOf(method), returns }]
    }),
  )
}

export function phasesPage(): string {
  const handlers = readHandlers()
  const policy = (phase: Phase) => failurePolicy(DEFAULT_MANIFEST, phase)
  const phases = PHASES.map((phase) => {
    const { call, doc, returns } = handlers.get(phase)!
    return [`\`${call}\``, doc, returns, policy(phase)]
  })
  const { call, doc, returns } = handlers.get('fetch')!
  return `${[
    pageHead(
      'Phases and stages',
      '`src/http/stages.ts`, `src/contract/unit.ts` and `src/unit/types/orla.d.ts`',
    ).trimEnd(),
    `The way of a request in, and of its answer out:\n\n\`\`\`text\n${drawing()}\n\`\`\``,
    '## Stages\n\nEach stage lets the request go on to the next one, or takes it over. A stage whose phase no unit hooks costs one comparison.',
    markdownTable(
      ['stage', 'what it does'],
      STAGES.map((stage) => [stage.name, stage.does]),
    ),
    '## Phases of units\n\nA unit exports a handler for each phase that it hooks. Units of a phase run by priority, then by name. *On error* is what\nhappens where the unit does not say: `closed` answers 503 (SERVFAIL in `dns`), `open` goes on as if the unit were not there.\nSee [units](../guides/units.md).',
    markdownTable(
      ['handler', 'what for', 'returns', 'on error'],
      [...phases, [`\`${call}\``, doc, returns, policy('content')]],
    ),
  ].join('\n\n')}\n`
}

function drawing(): string {
  const way = STAGES.map((stage) => stage.name).join(' → ')
  const first = STAGES[0]!.name.length
  const line = `└${'─'.repeat(way.length - first - 2)}┘`
  const out = PHASES.slice(PHASES.indexOf('headerFilter'), PHASES.indexOf('dns'))
  const last = ['answer', 'staged headers', ...out.slice(0, -1), 'to the client', ...out.slice(-1)]
  return [way, `${' '.repeat(first)}${line}`, `${' '.repeat(first)}  any of them → ${last.join(' → ')}`].join(
    '\n',
  )
}
