/**
 * Runs a unit's own tests: in isolates and sandboxes of their own, the unit under its real limits.
 *
 * The tests are a unit too (`unit/suite/suite.ts`): `GET /` lists them, `GET /N` runs one. What they ask of the unit under test comes out of
 * their isolate as a call of the host, and is a request through its phases here.
 */
import { asciiJson, refusal, type HostAnswer, type HostCall } from '../contract/host-calls.ts'
import type { TestFailure, TestReport } from '../contract/unit-runner.ts'
import { DEFAULT_MANIFEST, PHASE_BITS, type UnitVersion } from '../contract/unit.ts'
import { parseFetch } from '../host/fetch/request.ts'
import type { HeaderList } from '../wire/http1/message.ts'
import { serialiseHeaders, statusText } from '../wire/http1/serialise.ts'
import { mapStack } from '../unit/source-map.ts'
import { startTrial, type Trial, type TrialOptions } from './trial.ts'
import { TrialLimits } from './trial-limits.ts'
import { ENDPOINTS, runRequest, tripOf, type UnitRequest } from './unit-request.ts'

export interface UnitTests {
  readonly code: string
  readonly sourceMap: string
}

/** For all tests of a unit together. */
const SUITE_MS_MAX = 15_000
/** One test waits for what it asks, so it has more time than a request; its own work is still bounded. */
const TEST_LIMITS = { cpuMs: 200, wallMs: 5_000, memoryMb: 128 }

export async function runUnitTests(
  given: UnitVersion,
  { code, sourceMap }: UnitTests,
  options: Pick<TrialOptions, 'bundles' | 'node'>,
): Promise<TestReport> {
  const lines: string[] = []
  const suite: UnitVersion = {
    name: `${given.name}.test`,
    version: given.version,
    code,
    sourceMap,
    phases: PHASE_BITS.content,
    manifest: { ...DEFAULT_MANIFEST, limits: TEST_LIMITS },
    env: {},
    isTest: true,
  }
  let unit = given
  let fetches: unknown = {}
  const limits = new TrialLimits()
  const trial: Trial = startTrial({
    ...options,
    limits,
    intercept: (call, answer, start) => {
      if (call.kind === 'test.ask') {
        const wanted = new AbortController()
        void answerAsk(call, { trial, unit, limits, lines, wanted: wanted.signal }).then(answer)
        return () => wanted.abort()
      }
      if (call.kind !== 'fetch') return start(call, answer)
      answer(answerFetch(call, fetches))
      return undefined
    },
    onLine: ({ unit: name, level, message, reason }) => {
      if (name === given.name && reason === undefined) lines.push(`${level}: ${message}`)
    },
  })
  try {
    const { problems, module } = await trial.runner.try(suite)
    if (problems.length > 0)
      return { passed: 0, failures: problems.map((text) => failure('the tests', suite, text)) }
    fetches = module?.fields['fetches'] ?? {}
    const env = environmentOf(module?.fields['env'])
    if (env === undefined) {
      const message = '`env` is no object of texts'
      return { passed: 0, failures: [{ name: 'the tests', message }] }
    }
    try {
      limits.addNamed(module?.fields['limits'])
    } catch (error) {
      return { passed: 0, failures: [{ name: 'the tests', message: (error as Error).message }] }
    }
    limits.addOwn(given)
    unit = { ...given, env: { ...given.env, ...env }, manifest: { ...given.manifest, isolation: 'process' } }
    return await runAll(trial, suite)
  } finally {
    await trial.close()
    limits.close()
  }
}

async function runAll({ runner }: Trial, suite: UnitVersion): Promise<TestReport> {
  const ask = (path: string) =>
    tripOf(runner, suite, 'content', {
      meta: '',
      head: `GET ${path} HTTP/1.1\r\nhost: test\r\n`,
      response: '',
      edits: '',
      body: '',
    })
  const deadline = performance.now() + SUITE_MS_MAX
  const listed = await ask('/')
  if (listed.kind !== 'response') throw new Error('the tests cannot be listed')
  const names = JSON.parse(String(listed.body)) as string[]
  const failures: TestFailure[] = []
  if (names.length === 0)
    failures.push({ name: 'the tests', message: 'there are none: call test(name, function)' })
  let passed = 0
  for (const [index, name] of names.entries()) {
    if (performance.now() > deadline) {
      failures.push({ name, message: `not run: the tests before it took more than ${SUITE_MS_MAX} ms` })
      break
    }
    const outcome = await ask(`/${index}`)
    if (outcome.kind === 'response') passed += 1
    else
      failures.push(failure(name, suite, outcome.kind === 'failed' ? failedText(outcome) : 'it did not end'))
  }
  return { passed, failures }
}

const failedText = ({ reason, message }: { readonly reason: string; readonly message: string }): string =>
  reason === 'throw' ? message : `the test failed (${reason}): ${message}`

function failure(name: string, suite: UnitVersion, text: string): TestFailure {
  const [first = '', ...frames] = mapStack(suite, text).split('\n')
  // The topmost frame of the author's own: assertions throw in `orla/test`.
  const where = frames
    .map((frame) => /([^\s()]+:\d+:\d+)\)?$/.exec(frame)?.[1])
    .find((place) => place !== undefined && !place.startsWith('suite:'))
  return { name, message: first.replace(/^AssertionError: /, ''), ...(where !== undefined && { where }) }
}

function environmentOf(env: unknown): Record<string, string> | undefined {
  if (env === undefined || env === null) return {}
  if (typeof env !== 'object' || Array.isArray(env)) return undefined
  const isText = Object.values(env).every((value) => typeof value === 'string')
  return isText ? (env as Record<string, string>) : undefined
}

interface Asked {
  readonly trial: Trial
  readonly unit: UnitVersion
  readonly limits: TrialLimits
  readonly lines: string[]
  readonly wanted: AbortSignal
}

/** What a test asks of the unit, for as long as `wanted`. The head was written in the tests' isolate: it may be anything. */
async function answerAsk(call: HostCall, { trial, unit, limits, lines, wanted }: Asked): Promise<HostAnswer> {
  const from = lines.length
  try {
    const given = JSON.parse(call.head) as Readonly<Record<string, unknown>>
    if (given['op'] === 'timer') {
      await runTimer(trial, unit)
      return ok({ log: lines.slice(from) })
    }
    const asked = requestOf(given, call.body)
    const { response, by, request, cacheKey, ttlSeconds } = await runRequest(trial.runner, unit, asked, {
      wanted,
      limits,
    })
    const { status, headers, body } = response
    const told = { ...request, headers: pairs(request.headers) }
    const said = { status, headers: pairs(headers), by, request: told, cacheKey, ttl: ttlSeconds }
    return { ...ok({ ...said, log: lines.slice(from) }), body }
  } catch (error) {
    return refusal('test-failed', mapStack(unit, (error as Error).message))
  }
}

/** What a fetch is answered: what the tests say for its URL, and nothing else. No test depends on the network. */
function answerFetch(call: HostCall, fetches: unknown): HostAnswer {
  try {
    const { url } = parseFetch(call)
    const known = fetches as Readonly<
      Record<string, { status?: number; headers?: object; body?: string } | undefined>
    >
    const given = Object.hasOwn(known, url.href) ? known[url.href] : undefined
    if (given === undefined)
      throw new Error(`the tests give no answer for ${url.href}: see \`fetches\` of orla/test`)
    const { status = 200, headers = {}, body = '' } = given
    const lines = serialiseHeaders(Object.entries(headers).flatMap(([name, value]) => [name, String(value)]))
    const head = `${status} 0 ${statusText(status)}\n${url.href}\n${lines}`
    const bytes = Buffer.from(String(body), 'utf8').toString('latin1')
    return { ok: true, head, body: bytes, result: String(status), target: url.href }
  } catch (error) {
    return refusal('test-fetch', (error as Error).message, 'TypeError')
  }
}

const ok = (head: object): HostAnswer => ({
  ok: true,
  head: asciiJson(head),
  body: '',
  result: 'ok',
  target: '',
})

async function runTimer({ runner }: Trial, unit: UnitVersion): Promise<void> {
  if ((unit.phases & PHASE_BITS.timer) === 0) throw new Error('the unit has no timer')
  const outcome = await tripOf(runner, unit, 'timer', {
    meta: '',
    head: '',
    response: '',
    edits: '',
    body: '',
  })
  if (outcome.kind === 'failed') throw new Error(`timer failed (${outcome.reason}): ${outcome.message}`)
}

function requestOf(given: Readonly<Record<string, unknown>>, body: string): UnitRequest {
  const {
    method = 'GET',
    target,
    host = 'example.org',
    scheme = 'http',
    address = '192.0.2.1',
    headers,
    endpoints = ENDPOINTS,
    origin,
  } = given
  if (typeof target !== 'string' || !/^\/[!-~]*$/.test(target))
    throw new TypeError(`a request is for a path such as "/a?b=c", not for ${JSON.stringify(target)}`)
  if (typeof method !== 'string' || !/^[A-Z]+$/.test(method))
    throw new TypeError(`a method is a word in upper case, not ${JSON.stringify(method)}`)
  if (!Array.isArray(endpoints) || !endpoints.every((name) => typeof name === 'string'))
    throw new TypeError(
      `endpoints are a list of names such as ["http://10.0.0.1:9000"], not ${JSON.stringify(endpoints)}`,
    )
  const list = listOf(headers)
  return {
    method,
    target,
    headers: list.includes('host') ? list : ['host', String(host), ...list],
    body,
    address: String(address),
    scheme: scheme === 'https' ? 'https' : 'http',
    endpoints,
    origin: originOf(origin),
  }
}

function originOf(origin: unknown): UnitRequest['origin'] {
  if (origin === undefined) return { status: 200, headers: ['content-type', 'text/plain'], body: 'origin' }
  const { status, headers, body } = origin as { status: number; headers: unknown; body: string }
  return { status, headers: listOf(headers), body: Buffer.from(String(body), 'utf8').toString('latin1') }
}

/** From pairs to a flat list. */
const listOf = (headers: unknown): HeaderList =>
  Array.isArray(headers)
    ? (headers as [string, string][]).flatMap(([name, value]) => [String(name), String(value)])
    : []

function pairs(headers: HeaderList): [string, string][] {
  const all: [string, string][] = []
  for (let i = 0; i < headers.length; i += 2) all.push([headers[i]!, headers[i + 1]!])
  return all
}
