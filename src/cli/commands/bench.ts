/** `orla bench`: what a unit costs, in CPU time a call of each phase. No node needs to run. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { EdgeError } from '../../base/errors.ts'
import { DEFAULT_MANIFEST, PHASE_BITS, PHASES, type Phase, type UnitVersion } from '../../contract/unit.ts'
import { BenchFailed, benchUnit, type PhaseFigures } from '../../trial/unit-bench.ts'
import { ENDPOINTS, type UnitRequest } from '../../trial/unit-request.ts'
import { parseManifest } from '../../unit/manifest.ts'
import { type Arguments, UsageError } from '../arguments.ts'
import { type Command, EXIT, JSON_OPTION, type Terminal } from '../command.ts'
import { FETCH_OPTION, fetchSites } from '../fetch-sites.ts'
import { table } from '../help.ts'
import { UnitBuild } from '../local-build.ts'
import { collectModule, shownFile } from '../module-files.ts'
import { problemText } from '../refusal.ts'
import { unitNameOf } from '../unit-name.ts'

const CALLS = 5000
const WARM_UP_MAX = 2000
const MS_MAX = 30_000
const PROGRESS_MS = 2000

export const command: Command = {
  name: 'bench',
  operands: 'FILE',
  operandsMin: 1,
  operandsMax: 1,
  text: [
    'Builds FILE as a deploy would, runs requests through its phases after a warm-up, and tells the CPU time of a call: the median (p50), what 99 of 100',
    'calls stay below (p99), the most, and p99 as a share of the limit `cpuMs`. No node needs to run, nothing is deployed, and key/value data starts empty.',
    'Time in which a handler waits does not count. A `fetch` is made once, and its answer repeated. The origin is played: 200, with --origin-body.',
    'A whole crossing into the isolate is counted, so a handler that does nothing costs some microseconds too.',
  ].join('\n'),
  options: {
    calls: { value: 'N', text: `calls that are measured, ${CALLS} unless said` },
    for: { value: 'TIME', text: 'ends by then with what there is, 30s unless said' },
    request: {
      value: "'METHOD TARGET'",
      text: "such as 'GET /path?query' or 'GET https://tv.example.com/'; unless said GET of the unit's first path and host",
    },
    header: { value: "'NAME: VALUE'", many: true, text: 'a header of the request' },
    body: { value: 'TEXT|@FILE', text: 'the body of the request' },
    endpoint: {
      value: 'NAME',
      many: true,
      text: `one of \`request.endpoints\` in the phase origin, unless said ${ENDPOINTS.join(' and ')}`,
    },
    'origin-header': { value: "'NAME: VALUE'", many: true, text: "a header of the origin's answer" },
    'origin-body': { value: 'TEXT|@FILE', text: "the body of the origin's answer" },
    ...FETCH_OPTION,
    env: { value: 'K=V', many: true, text: 'its environment' },
    phase: { value: 'PHASE', many: true, text: 'tell of these phases alone; the others still run' },
    ...JSON_OPTION,
  },
  examples: [
    ["orla bench units/token-auth.ts --env TOKEN=t --request 'GET /?token=t'", 'what a valid token costs'],
    ['orla bench units/playlist-tag.ts --origin-body @index.m3u8', 'a filter, on a body of its kind'],
  ],
  exits: { 1: 'the unit does not build, fails, or no phase of it ran: standard error says which' },
  run,
}

async function run(args: Arguments, terminal: Terminal): Promise<number> {
  const calls = args.number('calls', 1, 10_000_000) ?? CALLS
  if (!Number.isInteger(calls)) throw new UsageError(`--calls takes a whole number, not "${calls}"`)
  const phases = args.list('phase')?.map((name) => phaseOf(name))
  const given = args.text('request')
  const asked = given === undefined ? undefined : readRequest(given)
  const headers = readHeaders(args.all('header'), '--header')
  const originHeaders = readHeaders(args.all('origin-header'), '--origin-header')
  const endpoints = args.all('endpoint')
  const sites = fetchSites(args)
  const body = readBody(args.text('body'), terminal)
  const originBody = readBody(args.text('origin-body'), terminal) || 'origin'

  const path = resolve(terminal.cwd, args.operands[0]!)
  const built = await build(path, terminal)
  if (!built) return EXIT.refused
  const unit: UnitVersion = { ...built, env: args.pairs('env') ?? {} }
  const requestFor = ({ manifest }: UnitVersion): UnitRequest => {
    const { method, target, host, scheme } = asked ?? defaultRequest(manifest.methods[0], manifest.paths[0])
    const named = host ?? manifest.hosts.find((name) => !name.includes('*')) ?? 'example.org'
    return {
      method,
      target,
      scheme,
      headers: headers.includes('host') ? headers : ['host', named, ...headers],
      body,
      address: '192.0.2.1',
      endpoints: endpoints.length === 0 ? ENDPOINTS : endpoints,
      origin: {
        status: 200,
        headers: originHeaders.includes('content-type')
          ? originHeaders
          : ['content-type', 'text/plain', ...originHeaders],
        body: originBody,
      },
    }
  }
  let described = unit
  try {
    const { figures, answer } = await benchUnit(
      unit,
      (bits, fields) => (described = describe(unit, bits, fields)),
      {
        node: { name: 'bench', groups: [] },
        fetchSites: sites,
        request: () => requestFor(described),
        calls,
        warmUp: Math.min(calls, WARM_UP_MAX),
        msMax: args.duration('for') ?? MS_MAX,
        onProgress: progress(terminal),
      },
    )
    const { method, target } = requestFor(described)
    terminal.note(`${method} ${target} was answered ${answer.status} by the ${answer.by}`)
    return tell(described, figures, phases, calls, args.flag('json'), terminal)
  } catch (error) {
    if (!(error instanceof BenchFailed)) throw error
    terminal.note(`orla bench: ${unit.name} failed\n${error.message}`)
    return EXIT.refused
  }
}

async function build(path: string, terminal: Terminal): Promise<UnitVersion | undefined> {
  const module = await collectModule(path)
  const name = unitNameOf(path)
  const result = await new UnitBuild().run(name, module)
  if (!result.ok) {
    for (const problem of result.problems)
      terminal.note(problemText(problem, (file) => shownFile(module, file, terminal.cwd)))
    terminal.note(`orla bench: ${name} does not build`)
    return undefined
  }
  const { code, sourceMap } = result
  return { name, version: 1, code, sourceMap, phases: 0, manifest: DEFAULT_MANIFEST, env: {} }
}

function describe(unit: UnitVersion, phases: number, fields: unknown): UnitVersion {
  const result = parseManifest(fields)
  if ('problems' in result) throw new BenchFailed(result.problems.join('\n'))
  if (phases === 0) throw new BenchFailed('it exports no handler of a phase')
  return { ...unit, phases, manifest: result.manifest }
}

function progress(terminal: Terminal): (done: number, of: number) => void {
  let toldAt = performance.now()
  return (done, of) => {
    if (performance.now() - toldAt < PROGRESS_MS) return
    toldAt = performance.now()
    terminal.note(`${done} of ${of} calls, the warm-up included`)
  }
}

function tell(
  unit: UnitVersion,
  figures: readonly PhaseFigures[],
  wanted: readonly Phase[] | undefined,
  calls: number,
  asJson: boolean,
  terminal: Terminal,
): number {
  const told = figures.filter(({ phase }) => wanted?.includes(phase) ?? true)
  const idle = PHASES.filter(
    (phase) => (unit.phases & PHASE_BITS[phase]) !== 0 && !figures.some((row) => row.phase === phase),
  )
  if (idle.length > 0) terminal.note(`not run with this request: ${idle.join(', ')}`)
  if (told.length === 0) {
    const ran = figures.map(({ phase }) => phase).join(', ')
    terminal.note(`orla bench: ${unit.name} ran no phase to tell of${ran === '' ? '' : `; it ran ${ran}`}`)
    return EXIT.refused
  }
  const { cpuMs } = unit.manifest.limits
  const share = (us: number) => us / (cpuMs * 1000)
  if (asJson) {
    const rows = told.map(({ phase, calls: count, ...us }) => ({
      phase,
      calls: count,
      ...Object.fromEntries(Object.entries(us).map(([name, value]) => [name, Math.round(value * 100) / 100])),
      limitShare: share(us.p99Us),
    }))
    terminal.print(JSON.stringify({ unit: unit.name, cpuMs, phases: rows }))
    return EXIT.done
  }
  if (told.some((row) => row.calls < calls))
    terminal.note('the time was up before all calls were made: see --for')
  const heads = ['PHASE', 'CALLS', 'P50 µs', 'P99 µs', 'MAX µs', `P99 OF ${cpuMs} ms`]
  terminal.print(
    table(
      heads,
      told.map(({ phase, calls: count, p50Us, p99Us, maxUs }) => [
        phase,
        String(count),
        ...[p50Us, p99Us, maxUs].map((us) => us.toFixed(1)),
        `${(share(p99Us) * 100).toFixed(2)} %`,
      ]),
    ),
  )
  return EXIT.done
}

function phaseOf(name: string): Phase {
  const phase = PHASES.find((known) => known === name)
  if (phase === undefined) throw new UsageError(`--phase takes ${PHASES.join(', ')}, not "${name}"`)
  return phase
}

interface Asked {
  readonly method: string
  readonly target: string
  readonly host: string | undefined
  readonly scheme: 'http' | 'https'
}

function readRequest(text: string): Asked {
  const [, method, scheme, host, target] =
    /^(?:([A-Z]+) )?(?:(https?):\/\/([^/?#\s]+))?(\/[!-"$-~]*)?$/.exec(text) ?? []
  if (target === undefined && host === undefined)
    throw new UsageError(`--request takes a method and a path such as 'GET /path?query', not "${text}"`)
  return {
    method: method ?? 'GET',
    target: target ?? '/',
    host,
    scheme: scheme === 'https' ? 'https' : 'http',
  }
}

/** What the unit matches. */
const defaultRequest = (method = 'GET', path = '/'): Asked => ({
  method,
  target: path.replace(/\*$/, '') || '/',
  host: undefined,
  scheme: 'http',
})

function readHeaders(lines: readonly string[], option: string): string[] {
  return lines.flatMap((line) => {
    const [, name, value] = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t -~\u0080-\u00ff]*)$/.exec(line) ?? []
    if (name === undefined || value === undefined)
      throw new UsageError(`${option} takes 'name: value', not "${line}"`)
    return [name.toLowerCase(), value.trim()]
  })
}

/** A character a byte. */
function readBody(text: string | undefined, { cwd }: Terminal): string {
  if (text === undefined) return ''
  if (!text.startsWith('@')) return Buffer.from(text, 'utf8').toString('latin1')
  const path = resolve(cwd, text.slice(1))
  try {
    return readFileSync(path, 'latin1')
  } catch (cause) {
    throw new EdgeError('file-unreadable', `${path}: ${(cause as Error).message}`, { cause })
  }
}
