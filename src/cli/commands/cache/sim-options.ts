/** The options of `orla cache sim`, and what they make of a trace. */
import type { AdmissionName } from '../../../config/cache-schema.ts'
import { nearest } from '../../../base/nearest.ts'
import { ADMISSION_NAMES } from '../../../cache/admission/admissions.ts'
import { POLICY_NAMES } from '../../../cache/policies/policies.ts'
import {
  type Bound,
  boundOf,
  cacheSizeOf,
  type CacheSize,
  CURVE_SIZES,
  DEFAULT_SIZES,
  parseCacheSize,
  SIZE_EXPECTED,
  type WrittenSize,
} from '../../../cache/sim/sizes.ts'
import { BOUNDS, type SimPolicy, type SweepPlan } from '../../../cache/sim/sweep.ts'
import type { Trace, TraceFacts } from '../../../cache/sim/trace.ts'
import { type Arguments, UsageError } from '../../arguments.ts'
import type { Option } from '../../command.ts'
import { FORMATS, type TraceOptions } from '../../traces/trace-file.ts'

/** More requests than these are sampled unless --sample says otherwise: every one of two hundred runs goes over all of them. */
const REQUESTS_MAX = 1_000_000
/** A sample of so many is within a point of the whole. */
const SAMPLE_MAX = 250_000
const SEEDS = 5

export const SIM_OPTIONS = {
  sizes: {
    value: 'SIZE,…',
    many: true,
    text: 'sizes of the cache: shares of all that is asked for (5%), bytes (64mb, or a number with --by bytes) or entries (1000). 1%,5%,10%,20%,50% unless said; more of them for a chart',
  },
  by: {
    value: 'entries|bytes',
    text: 'what bounds the cache; bytes where the trace tells sizes and no size given is in entries',
  },
  policies: { value: 'NAME,…', many: true, text: 'these alone; all, min and min-bypass unless said' },
  admission: {
    value: 'NAME,…',
    many: true,
    text: 'these alone; unless said all four, without size-probability where a trace tells no sizes',
  },
  goal: {
    value: 'hits|bytes',
    text: 'what the choice is made by: the share of requests (unless said) or of bytes that are hits',
  },
  chart: { value: 'FILE.svg', text: 'draw the miss-ratio curve' },
  site: { value: 'NAME,…', many: true, text: 'of an access log in JSON: requests of these sites alone' },
  host: { value: 'HOST,…', many: true, text: 'of an access log that tells hosts: requests to these alone' },
  format: { value: FORMATS.join('|'), text: 'what TRACE is, where the first lines do not say' },
  columns: {
    value: 'NAME,…',
    many: true,
    text: 'the columns of CSV in their order, of which `key` and `size` are read: time,-,key,size',
  },
  sample: {
    value: 'SHARE',
    text: `the share of objects to simulate, above 0 to 1; unless said all, and of a trace of more than a million requests so many that a quarter of a million is left at most`,
  },
  seeds: {
    value: 'N',
    text: `how often what throws dice is run; the mean counts. ${SEEDS} unless said`,
  },
  progress: { text: 'tell how far it is also where standard error is no terminal' },
} as const satisfies Record<string, Option>

export function readingOptions(args: Arguments): Omit<TraceOptions, 'cwd'> {
  const share = args.number('sample', 0, 1)
  if (share === 0) throw new UsageError('--sample takes a share above 0, not "0"')
  const columns = args.list('columns')
  if (columns !== undefined && !columns.includes('key')) throw new UsageError('--columns names no `key`')
  return {
    limits: share === undefined ? { requestsMax: REQUESTS_MAX, sampleMax: SAMPLE_MAX } : { share },
    format: args.choice('format', FORMATS),
    columns,
    filter: {
      sites: args.list('site'),
      hosts: args.list('host')?.map((host) => host.toLowerCase()),
    },
  }
}

/** Everything that is wrong with the options, told before a long trace is read. */
export function checkOptions(args: Arguments): void {
  writtenSizes(args)
  policiesOf(args)
  admissionsOf(args, { hasSizes: true })
  args.choice('by', ['entries', 'bytes'])
  seedsOf(args)
  args.choice('goal', ['hits', 'bytes'])
}

export function planOf(args: Arguments, trace: Trace, facts: TraceFacts): SweepPlan {
  return {
    policies: policiesOf(args),
    admissions: admissionsOf(args, trace),
    sizes: sizesOf(args, trace, facts),
    seeds: seedsOf(args),
  }
}

const seedsOf = (args: Arguments): number => Math.floor(args.number('seeds', 1, 1000) ?? SEEDS)

function writtenSizes(args: Arguments): readonly WrittenSize[] {
  const by = args.choice('by', ['entries', 'bytes'])
  const given = args.list('sizes')
  if (given === undefined) return args.flag('chart') ? CURVE_SIZES : DEFAULT_SIZES
  if (given.length === 0) throw new UsageError(`--sizes takes ${SIZE_EXPECTED}`)
  return given.map((text) => {
    const written = parseCacheSize(text)
    if (written === undefined) throw new UsageError(`--sizes takes ${SIZE_EXPECTED}, not "${text}"`)
    if (written.kind === 'bytes' && by === 'entries')
      throw new UsageError(`"${text}" of --sizes is in bytes, and --by says entries`)
    return written
  })
}

function sizesOf(args: Arguments, { hasSizes }: Trace, facts: TraceFacts): readonly CacheSize[] {
  const written = writtenSizes(args)
  const asked: Bound | undefined = args.choice('by', ['entries', 'bytes'])
  const by = asked ?? boundOf(written, { hasSizes })
  const sizes = written.map((size) => cacheSizeOf(size, { by, isAsked: asked !== undefined }, facts))
  if (!hasSizes && sizes.some((size) => size.by === 'bytes'))
    throw new UsageError('the trace tells no sizes of objects: give --sizes in entries or shares of them')
  const seen = new Set<string>()
  // Small shares of few objects come out the same.
  return sizes
    .filter(({ by, capacity }) => !seen.has(`${by} ${capacity}`) && seen.add(`${by} ${capacity}`))
    .toSorted((one, other) => one.by.localeCompare(other.by) || one.capacity - other.capacity)
}

const SIM_POLICIES: readonly SimPolicy[] = [...POLICY_NAMES, ...BOUNDS]

function policiesOf(args: Arguments): readonly SimPolicy[] {
  const given = args.list('policies')
  return given === undefined ? SIM_POLICIES : chosen('policies', given, SIM_POLICIES)
}

/** What others call a cache that takes everything in. */
const NO_ADMISSION = ['none', 'off']

/** What goes by size has nothing to go by where there are none. */
function admissionsOf(args: Arguments, { hasSizes }: Pick<Trace, 'hasSizes'>): readonly AdmissionName[] {
  const given = args.list('admission')?.map((name) => (NO_ADMISSION.includes(name) ? 'all' : name))
  if (given !== undefined) return chosen('admission', given, ADMISSION_NAMES)
  return hasSizes ? ADMISSION_NAMES : ADMISSION_NAMES.filter((name) => name !== 'size-probability')
}

/** Names that would mean something else here. */
const AS_PAPERS_WRITE: Readonly<Record<string, string>> = { LFU: 'plain-lfu' }

function chosen<T extends string>(
  option: string,
  given: readonly string[],
  known: readonly T[],
): readonly T[] {
  if (given.length === 0) throw new UsageError(`--${option} takes ${known.join(', ')}`)
  const names = given.map((name) => {
    const plain = AS_PAPERS_WRITE[name] ?? name.toLowerCase()
    const found = known.find((one) => one === plain)
    if (found !== undefined) return found
    const meant = nearest(plain, known)
    const guess = meant === undefined ? '' : `; did you mean ${meant}?`
    throw new UsageError(`--${option} takes ${known.join(', ')}, not "${name}"${guess}`)
  })
  return [...new Set(names)]
}
