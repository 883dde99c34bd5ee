/**
 * `node scripts/replacement.ts`: draws the charts of `docs/concepts/replacement.md` and writes its tables, by running the
 * simulator on the traces in `test/fixtures/traces`. `test/docs/replacement.test.ts` makes them again and fails where
 * one differs: a policy that changes shows up there.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ADMISSION_NAMES } from '../src/cache/admission/admissions.ts'
import { POLICY_NAMES } from '../src/cache/policies/policies.ts'
import { missRatioChart } from '../src/cache/sim/chart.ts'
import { bytesText, countText } from '../src/cache/sim/quantity-text.ts'
import type { Bound, CacheSize } from '../src/cache/sim/sizes.ts'
import { BOUNDS, isBound, type SimPolicy, type SimResult, sweep } from '../src/cache/sim/sweep.ts'
import { factsOf, type Trace } from '../src/cache/sim/trace.ts'
import { readTrace } from '../src/cli/traces/trace-file.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const PAGE = 'docs/concepts/replacement.md'
const MIB = 1024 ** 2

/** Sizes of the tables: those that `reference.json` has counts for. */
const WEB = { trace: 'web12', by: 'entries', sizes: [140, 690, 2750] } as const
const BLOCKS = { trace: 'cloudphysics-w106', by: 'bytes', sizes: [128 * MIB, 512 * MIB, 1024 * MIB] } as const
/** And more between and around them for a curve. */
const WEB_CURVE = [25, 60, 140, 300, 690, 1400, 2750, 5500]
const BLOCKS_CURVE = [4, 16, 48, 128, 192, 256, 384, 512, 768, 1024, 1536].map((mib) => mib * MIB)

/** Policies that admissions are shown with: the one that people know, and two that already keep newcomers at a distance. */
const ADMITTED = ['lru', 'sieve', 's3-fifo'] as const

/** Texts by path from the root of the tree. */
export async function replacementFiles(): Promise<Readonly<Record<string, string>>> {
  const web = await traceOf(WEB.trace)
  const blocks = await traceOf(BLOCKS.trace)
  const policies = [...POLICY_NAMES, ...BOUNDS]
  const webResults = run(web, WEB.by, WEB_CURVE, policies)
  const blockResults = run(blocks, BLOCKS.by, BLOCKS_CURVE, policies)
  // These requests have no sizes to go by.
  const unsized = ADMISSION_NAMES.filter((name) => name !== 'size-probability')
  const webAdmitted = run(web, WEB.by, WEB.sizes, ADMITTED, unsized)
  const blockAdmitted = run(blocks, BLOCKS.by, BLOCKS_CURVE, ADMITTED, ADMISSION_NAMES)
  const tables = {
    web12: tableOf(webResults, WEB.sizes, { heads: policyCells, cell: hitsCell }),
    'cloudphysics-w106': tableOf(blockResults, BLOCKS.sizes, { heads: policyCells, cell: hitsCell }),
    'web12-admission': tableOf(webAdmitted, WEB.sizes, { heads: settingCells, cell: storedCell(web) }),
    'cloudphysics-w106-admission': tableOf(blockAdmitted, BLOCKS.sizes, {
      heads: settingCells,
      cell: storedCell(blocks),
    }),
  }
  return {
    'docs/concepts/replacement-web.svg': chart(webResults, web, 'HTTP product pages: miss ratio by policy'),
    'docs/concepts/replacement-blocks.svg': chart(
      blockResults,
      blocks,
      'Disk blocks of a virtual machine: miss ratio by policy',
    ),
    'docs/concepts/replacement-admission.svg': chart(
      blockAdmitted,
      blocks,
      'Disk blocks of a virtual machine: miss ratio by admission',
    ),
    [PAGE]: withTables(readFileSync(`${ROOT}${PAGE}`, 'utf8'), tables),
  }
}

async function traceOf(name: string): Promise<Trace> {
  const { trace } = await readTrace([`test/fixtures/traces/${name}.txt.gz`], { cwd: ROOT, limits: {} })
  return trace
}

function run(
  trace: Trace,
  by: Bound,
  capacities: readonly number[],
  policies: readonly SimPolicy[],
  admissions: readonly SimResult['admission'][] = ['all'],
): readonly SimResult[] {
  const facts = factsOf(trace)
  const whole = by === 'bytes' ? facts.bytes : facts.distinct
  const sizes = capacities.map((capacity): CacheSize => ({ by, capacity, share: capacity / whole }))
  return [...sweep(trace, { policies, admissions, sizes, seeds: 3 })]
}

function chart(results: readonly SimResult[], trace: Trace, title: string): string {
  const { requests, distinct, bytes } = factsOf(trace)
  const size = trace.hasSizes ? `, ${bytesText(bytes)}` : ''
  return missRatioChart(results, {
    title,
    subtitle: `${countText(requests)} requests for ${countText(distinct)} objects${size}`,
  })
}

/** A row a setting, the best mean first. */
function tableOf(
  results: readonly SimResult[],
  sizes: readonly number[],
  { heads, cell }: { heads: (result: SimResult) => readonly string[]; cell: (result: SimResult) => string },
): string {
  const shown = results.filter(({ size }) => sizes.includes(size))
  const settings = [...Map.groupBy(shown, ({ policy, admission }) => `${policy} ${admission}`).values()]
  const sum = (same: readonly SimResult[]) => same.reduce((all, { hitRatio }) => all + hitRatio, 0)
  const rows = settings
    .toSorted((one, other) => sum(other) - sum(one))
    .map((same) => [...heads(same[0]!), ...same.map(cell)])
  const first = shown[0]!
  const titles = ['policy', 'admission'].slice(0, heads(first).length)
  const columns = sizes.map((size) => (first.by === 'bytes' ? bytesText(size) : `${countText(size)} entries`))
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const rule = [...titles.map(() => '---'), ...columns.map(() => '---:')]
  return [line([...titles, ...columns]), line(rule), ...rows.map(line)].join('\n')
}

const policyCell = (policy: SimPolicy): string =>
  isBound(policy) ? `*${policy === 'min' ? 'MIN' : 'MIN, may refuse'}*` : `\`${policy}\``

const policyCells = ({ policy }: SimResult): readonly string[] => [policyCell(policy)]

const settingCells = ({ policy, admission }: SimResult): readonly string[] => [
  policyCell(policy),
  `\`${admission}\``,
]

const percent = (ratio: number): string => (ratio * 100).toFixed(1)

/** The hit ratio, and by bytes that of bytes. */
const hitsCell = ({ hitRatio, byteHitRatio, by }: SimResult): string =>
  by === 'bytes' && byteHitRatio !== null
    ? `${percent(hitRatio)} / ${percent(byteHitRatio)}`
    : percent(hitRatio)

/** The hit ratio, and how many of a hundred requests put something into the cache. */
const storedCell =
  (trace: Trace) =>
  ({ hitRatio, stored }: SimResult): string =>
    `${percent(hitRatio)} / ${percent((stored ?? 0) / trace.requests.length)}`

/** Tables stand between `<!-- table: NAME -->` and `<!-- end -->`. */
function withTables(page: string, tables: Readonly<Record<string, string>>): string {
  return page.replaceAll(
    /(<!-- table: ([\w-]+) -->\n)[^]*?(?=\n<!-- end -->)/g,
    (_, mark: string, name: string) => {
      const table = tables[name]
      if (table === undefined)
        throw new Error(`${PAGE} has a place for a table "${name}", which nobody makes`)
      return mark + table
    },
  )
}

if (import.meta.main) {
  for (const [path, text] of Object.entries(await replacementFiles())) writeFileSync(`${ROOT}${path}`, text)
}
