/**
 * `orla/test`: what the tests of a unit import. Bundled with them, and run in an isolate of their own beside the unit's.
 *
 * `test` only notes down; the suite's default export is a unit whose `content` lists the tests (`GET /`) or runs one (`GET /3`). What a test
 * asks of the unit is a call of the host (`orlaTest`), which sends it through the unit's phases under its real limits.
 */
interface Noted {
  readonly name: string
  readonly run: (unit: TestedUnit) => unknown
}

interface Sent {
  readonly method?: string
  readonly headers?: Record<string, string> | Iterable<readonly [string, string]>
  readonly body?: string | Uint8Array | ArrayBuffer
  readonly host?: string
  readonly scheme?: 'http' | 'https'
  readonly address?: string
  readonly endpoints?: readonly string[]
  readonly origin?: Response
}

declare const orlaTest: (head: string, body: Uint8Array) => Promise<{ head: string; body: Uint8Array }>

const noted: Noted[] = []
const encoder = new TextEncoder()

export function test(name: string, run: (unit: TestedUnit) => unknown): void {
  if (typeof name !== 'string' || typeof run !== 'function')
    throw new TypeError('a test is test(name, function)')
  noted.push({ name, run })
}

class TestedUnit {
  async request(target: string, sent: Sent = {}) {
    const { origin, body, headers, ...rest } = sent
    const head = {
      op: 'request',
      target,
      headers: [...new Headers(headers as never)],
      ...rest,
      ...(origin && {
        origin: { status: origin.status, headers: [...origin.headers], body: await origin.text() },
      }),
    }
    const answer = await orlaTest(JSON.stringify(head), bytesOf(body))
    const told = JSON.parse(answer.head) as {
      status: number
      headers: [string, string][]
      by: 'unit' | 'origin' | 'limit'
      request: { method: string; path: string; query: string; headers: [string, string][]; endpoint?: string }
      cacheKey?: string
      ttl?: number
      log: string[]
    }
    const hasNoBody = told.status === 204 || told.status === 304
    const response = new Response(hasNoBody ? null : (answer.body as never), {
      status: told.status,
      headers: told.headers,
    })
    const { query, headers: asked, ...plain } = told.request
    const request = { ...plain, query: new URLSearchParams(query), headers: new Headers(asked) }
    const { by, cacheKey, ttl, log } = told
    return Object.assign(response, { by, request, cacheKey, ttl, log })
  }

  async timer(): Promise<{ log: string[] }> {
    const answer = await orlaTest(JSON.stringify({ op: 'timer' }), bytesOf(undefined))
    return JSON.parse(answer.head) as { log: string[] }
  }
}

function bytesOf(body: Sent['body']): Uint8Array {
  if (body === undefined) return new Uint8Array()
  if (typeof body === 'string') return encoder.encode(body)
  return body instanceof ArrayBuffer ? new Uint8Array(body) : body
}

// ── assertions ────────────────────────────────────────────────────────────────────────────────────────────────────

class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

function fail(message: string | undefined, otherwise: string): never {
  throw new AssertionError(message ?? otherwise)
}

export const assert = Object.assign(
  (value: unknown, message?: string): void => {
    if (!value) fail(message, `${shown(value)} is not true`)
  },
  {
    ok(value: unknown, message?: string): void {
      if (!value) fail(message, `${shown(value)} is not true`)
    },
    equal(actual: unknown, expected: unknown, message?: string): void {
      if (!Object.is(actual, expected)) fail(message, `expected ${shown(expected)}, not ${shown(actual)}`)
    },
    notEqual(actual: unknown, expected: unknown, message?: string): void {
      if (Object.is(actual, expected)) fail(message, `expected anything but ${shown(expected)}`)
    },
    deepEqual(actual: unknown, expected: unknown, message?: string): void {
      if (!isSame(actual, expected)) fail(message, `expected ${shown(expected)}, not ${shown(actual)}`)
    },
    match(actual: string, pattern: RegExp, message?: string): void {
      if (!pattern.test(actual)) fail(message, `${shown(actual)} does not match ${pattern}`)
    },
    async rejects(work: Promise<unknown> | (() => unknown), pattern?: RegExp): Promise<void> {
      try {
        await (typeof work === 'function' ? work() : work)
      } catch (error) {
        checkThrown(error, pattern)
        return
      }
      fail(undefined, 'expected it to reject')
    },
    throws(work: () => unknown, pattern?: RegExp): void {
      try {
        work()
      } catch (error) {
        checkThrown(error, pattern)
        return
      }
      fail(undefined, 'expected it to throw')
    },
  },
)

function checkThrown(error: unknown, pattern: RegExp | undefined): void {
  const text = String(error)
  if (pattern && !pattern.test(text)) fail(undefined, `${shown(text)} does not match ${pattern}`)
}

function shown(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`
  const text = typeof value === 'function' ? undefined : JSON.stringify(value)
  const whole = text ?? String(value)
  return whole.length > 400 ? `${whole.slice(0, 400)}…` : whole
}

function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false
  if (a instanceof Date) return a.getTime() === (b as Date).getTime()
  if (a instanceof Map || a instanceof Set) return isSame([...a], [...(b as Iterable<unknown>)])
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every(
    (key) =>
      Object.hasOwn(b, key) &&
      isSame((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
  )
}

// ── the suite, as a unit ──────────────────────────────────────────────────────────────────────────────────────────

export const suite = {
  async content(request: { readonly path: string }): Promise<Response> {
    if (request.path === '/') return Response.json(noted.map(({ name }) => name))
    await noted[Number(request.path.slice(1))]!.run(new TestedUnit())
    return new Response('passed')
  },
}
