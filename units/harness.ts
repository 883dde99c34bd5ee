/**
 * Runs a unit as the edge does: bundled, in an isolate of its own, over the protocol of the sandbox. For tests of units.
 *
 *     const unit = await openUnit('token-auth.ts', { env: { TOKEN: 'secret' } })
 *     const answer = unit.run({ phase: 'access', url: 'http://example.org/hls/a.m3u8' })
 *     assert.equal(answer.status, 403)
 */
import { build } from 'esbuild'
import { fileURLToPath } from 'node:url'
import type { Phase } from '../src/contract/unit.ts'
import {
  BODY_BYTES,
  type GuestSetup,
  type Installed,
  type InvocationMeta,
  LOG_LEVELS,
  OUTCOME_RESPONSE,
  OUTCOME_THREW,
} from '../src/sandbox/protocol.ts'
import { type GuestIsolate, invokeEntry, openGuest } from '../src/sandbox/guest/guest.support.ts'

export interface UnitCall {
  /** One phase, or those of one trip. */
  readonly phase: Phase | readonly Phase[]
  readonly url: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** The address of the client. */
  readonly address?: string
  readonly timing?: InvocationMeta['timing']
  /** The response in `headerFilter` and `log`. */
  readonly response?: { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
}

export interface UnitAnswer {
  readonly kind: 'next' | 'response' | 'threw'
  /** Of the response; 0 where there is none. */
  readonly status: number
  /** Headers of the response, and those that were staged or set for one. */
  readonly headers: Headers
  readonly body: string
  /** What was thrown. */
  readonly message: string
  /** What was changed, as the protocol has it: `p /path`, `H name: value`… */
  readonly edits: readonly string[]
  /** `level: text`. */
  readonly log: readonly string[]
}

export class TestUnit {
  readonly #guest: GuestIsolate
  #lastId = 0

  constructor(guest: GuestIsolate) {
    this.#guest = guest
  }

  /** Handlers and fields as the deploy reads them. */
  get installed(): Installed {
    return this.#guest.installed
  }

  run(call: UnitCall): UnitAnswer {
    const { url, method = 'GET', headers = {}, body = '', address = '192.0.2.1', response } = call
    const { protocol, host, pathname, search } = new URL(url)
    const lines = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
    const scheme = protocol === 'https:' ? 'https' : 'http'
    const id = ++this.#lastId
    const phases = typeof call.phase === 'string' ? [call.phase] : call.phase
    const entry = invokeEntry(id, phases, {
      head: `${method} ${pathname}${search} HTTP/1.1\r\n${lines.join('')}`,
      meta: {
        client: { address, port: 50_000, scheme },
        scheme,
        ...(call.timing ? { timing: call.timing } : {}),
      },
      response: response ? `${response.status}\n${headerLines(response.headers ?? {})}` : '',
      body: Buffer.from(body, 'utf8').toString('latin1'),
    })
    return this.#answer(id, entry)
  }

  #answer(id: number, entry: string): UnitAnswer {
    const records = this.#guest.settle(entry)
    const log: string[] = []
    for (const record of records) {
      if (record.kind === 'log') log.push(`${LOG_LEVELS[record.level]}: ${record.text}`)
    }
    const last = records.findLast((record) => record.kind === 'invocation' && record.id === id)
    if (last?.kind !== 'invocation') throw new Error('the unit gave no answer')
    const edits = last.edits.split('\n').slice(0, -1)
    const isResponse = last.outcome === OUTCOME_RESPONSE
    const [status = '', lines = ''] = isResponse ? last.head.split('\n', 1).concat(last.head.slice(4)) : []
    const threw = last.outcome === OUTCOME_THREW
    return {
      kind: isResponse ? 'response' : threw ? 'threw' : 'next',
      status: Number(status),
      headers: headersOf(lines, edits),
      body: last.bodyKind === BODY_BYTES ? Buffer.from(last.body, 'latin1').toString('utf8') : last.body,
      message: threw ? (JSON.parse(last.head) as { message: string }).message : '',
      edits,
      log,
    }
  }

  close(): void {
    this.#guest.dispose()
  }
}

const headerLines = (headers: Readonly<Record<string, string>>): string =>
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')

function headersOf(lines: string, edits: readonly string[]): Headers {
  const headers = new Headers()
  const add = (line: string, way: 'append' | 'set') => {
    const colon = line.indexOf(':')
    headers[way](line.slice(0, colon), line.slice(colon + 1).trim())
  }
  for (const line of lines.split('\r\n')) if (line !== '') add(line, 'append')
  for (const edit of edits) {
    if (edit.startsWith('H ')) add(edit.slice(2), 'set')
    else if (edit.startsWith('A ')) add(edit.slice(2), 'append')
    else if (edit.startsWith('D ')) headers.delete(edit.slice(2))
  }
  return headers
}

/** `file` lies in this folder. */
export async function openUnit(file: string, setup: Partial<GuestSetup> = {}): Promise<TestUnit> {
  const built = await build({
    entryPoints: [fileURLToPath(new URL(file, import.meta.url))],
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'neutral',
    target: 'esnext',
  })
  return new TestUnit(
    await openGuest(built.outputFiles[0]!.text, { name: file.replace(/\.ts$/, ''), ...setup }),
  )
}
