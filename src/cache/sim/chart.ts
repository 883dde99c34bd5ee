/**
 * The miss-ratio curve as SVG: how much still misses at each size, a line a setting. Dark on light, no script, no font of
 * its own, so that it looks the same in a browser, in a document and on paper.
 */
import { bytesText, countText } from './quantity-text.ts'
import { axisOf, logTicks } from './scale.ts'
import { settingText } from './choice.ts'
import { isBound, type SimPolicy, type SimResult } from './sweep.ts'

export interface ChartTexts {
  readonly title: string
  readonly subtitle: string
}

const WIDTH = 1000
const HEIGHT = 560
const PLOT = { left: 64, right: 730, top: 78, bottom: 496 } as const
const LEGEND_LEFT = 750
/** More lines than these tell nobody anything. */
const LINES_MAX = 16

/** Each policy has its colour in every chart. */
const COLOURS: Readonly<Record<SimPolicy, string>> = {
  lru: '#1f77b4',
  lfu: '#e8760a',
  'plain-lfu': '#8a8c00',
  fifo: '#8c564b',
  random: '#7f8790',
  clock: '#0e9aa7',
  sieve: '#2ca02c',
  's3-fifo': '#d62728',
  arc: '#7b52ab',
  'w-tinylfu': '#d753ae',
  gdsf: '#0b5d3b',
  min: '#111827',
  'min-bypass': '#4b5563',
}

const DASHES: Readonly<Record<SimResult['admission'], string>> = {
  all: '',
  'second-sight': '7 4',
  tinylfu: '2 3',
  'size-probability': '9 3 2 3',
}
const BOUND_DASHES = '4 4'

interface Line {
  readonly policy: SimPolicy
  readonly admission: SimResult['admission']
  readonly points: readonly SimResult[]
  readonly meanMiss: number
}

/**
 * A chart of the results; of those by entries and by bytes, the ones that the first is of. With many settings it shows
 * the policies with the first admission, and the chosen setting.
 */
export function missRatioChart(
  results: readonly SimResult[],
  { title, subtitle }: ChartTexts,
  chosen?: { readonly policy: SimPolicy; readonly admission: SimResult['admission'] },
): string {
  const by = results[0]!.by
  const lines = linesOf(
    results.filter((result) => result.by === by),
    chosen,
  )
  const points = lines.flatMap((line) => line.points)
  const x = axisOf(
    points.map(({ size }) => Math.log(size)),
    PLOT.left + 12,
    PLOT.right - 12,
  )
  const misses = points.map(({ hitRatio }) => (1 - hitRatio) * 100)
  const low = Math.max(0, Math.floor(Math.min(...misses) / 5) * 5)
  const high = Math.min(100, Math.ceil(Math.max(...misses) / 5) * 5)
  const y = axisOf([low, Math.max(high, low + 5)], PLOT.bottom, PLOT.top)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${escaped(`${title}. ${subtitle}`)}" font-family="system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    `<text x="${PLOT.left}" y="30" font-size="17" font-weight="600" fill="#111827">${escaped(title)}</text>`,
    `<text x="${PLOT.left}" y="51" fill="#4b5563">${escaped(subtitle)}</text>`,
    ...rows(y),
    ...columns(
      x,
      points.map(({ size }) => size),
      by,
    ),
    frame(by),
    ...lines.toReversed().map((line) => curve(line, x.at, y.at, isChosen(line, chosen))),
    ...legend(lines, chosen),
    '</svg>\n',
  ].join('\n')
}

type Chosen = { readonly policy: SimPolicy; readonly admission: SimResult['admission'] } | undefined

const isChosen = (line: Line, chosen: Chosen): boolean =>
  chosen?.policy === line.policy && chosen.admission === line.admission

/** Best first. */
function linesOf(results: readonly SimResult[], chosen: Chosen): readonly Line[] {
  const settings = Map.groupBy(results, ({ policy, admission }) => `${policy} ${admission}`)
  const all = [...settings.values()].map((same): Line => {
    const points = same.toSorted((one, other) => one.size - other.size)
    const { policy, admission } = points[0]!
    const meanMiss = points.reduce((sum, { hitRatio }) => sum + 1 - hitRatio, 0) / points.length
    return { policy, admission, points, meanMiss }
  })
  const first = all.find(({ policy }) => !isBound(policy))?.admission
  const shown =
    all.length <= LINES_MAX
      ? all
      : all.filter((line) => isBound(line.policy) || line.admission === first || isChosen(line, chosen))
  return shown.toSorted((one, other) => one.meanMiss - other.meanMiss)
}

const GRID = '#e5e7eb'
const AXIS = '#374151'

function rows({ at, ticks }: ReturnType<typeof axisOf>): readonly string[] {
  return ticks.map((percent) => {
    const y = round(at(percent))
    return `<path d="M${PLOT.left} ${y}H${PLOT.right}" stroke="${GRID}"/><text x="${PLOT.left - 8}" y="${y + 4}" text-anchor="end" fill="${AXIS}">${percent} %</text>`
  })
}

function columns(
  { at }: ReturnType<typeof axisOf>,
  sizes: readonly number[],
  by: SimResult['by'],
): readonly string[] {
  return logTicks(Math.min(...sizes), Math.max(...sizes), by).map((size) => {
    const x = round(at(Math.log(size)))
    const text = by === 'bytes' ? bytesText(size) : countText(size)
    return `<path d="M${x} ${PLOT.top}V${PLOT.bottom}" stroke="${GRID}"/><text x="${x}" y="${PLOT.bottom + 18}" text-anchor="middle" fill="${AXIS}">${text}</text>`
  })
}

function frame(by: SimResult['by']): string {
  const { left, right, top, bottom } = PLOT
  const middle = (left + right) / 2
  const height = (top + bottom) / 2
  return [
    `<path d="M${left} ${top}V${bottom}H${right}" fill="none" stroke="${AXIS}"/>`,
    `<text x="${middle}" y="${bottom + 44}" text-anchor="middle" fill="${AXIS}">size of the cache, ${by === 'bytes' ? 'bytes' : 'entries'} (logarithmic)</text>`,
    `<text transform="translate(18 ${height}) rotate(-90)" text-anchor="middle" fill="${AXIS}">miss ratio (lower is better)</text>`,
  ].join('')
}

function curve(
  { policy, admission, points }: Line,
  x: (value: number) => number,
  y: (value: number) => number,
  isBold: boolean,
): string {
  const colour = COLOURS[policy]
  const places = points.map(
    ({ size, hitRatio }) => `${round(x(Math.log(size)))} ${round(y((1 - hitRatio) * 100))}`,
  )
  const dots = points.map(({ size, by, hitRatio }, i) => {
    const [cx, cy] = places[i]!.split(' ')
    const where = by === 'bytes' ? bytesText(size) : countText(size)
    const told = `${settingText({ policy, admission })}, ${where}: ${((1 - hitRatio) * 100).toFixed(1)} % miss`
    return `<circle cx="${cx}" cy="${cy}" r="${isBold ? 3.5 : 2.2}"><title>${told}</title></circle>`
  })
  return `<g fill="${colour}"><path d="M${places.join('L')}" fill="none" ${stroke(policy, admission, isBold)}/>${dots.join('')}</g>`
}

function stroke(policy: SimPolicy, admission: Line['admission'], isBold: boolean): string {
  const dashes = isBound(policy) ? BOUND_DASHES : DASHES[admission]
  const dashed = dashes === '' ? '' : ` stroke-dasharray="${dashes}"`
  return `stroke="${COLOURS[policy]}" stroke-width="${isBold ? 3.2 : 1.7}" stroke-linejoin="round"${dashed}`
}

/** In the order of the lines from the bottom up would be backwards: the best is at the top. */
function legend(lines: readonly Line[], chosen: Chosen): readonly string[] {
  const step = Math.min(26, (PLOT.bottom - PLOT.top - 20) / lines.length)
  const chosenText = lines.some((line) => isChosen(line, chosen)) ? ', the chosen one bold' : ''
  const head = `<text x="${LEGEND_LEFT}" y="${PLOT.top + 4}" fill="#4b5563">best first${chosenText}</text>`
  const entries = lines.map((line, i) => {
    const y = round(PLOT.top + 24 + i * step)
    const isBold = isChosen(line, chosen)
    const text = line.admission === 'all' ? line.policy : `${line.policy} + ${line.admission}`
    return `<path d="M${LEGEND_LEFT} ${y - 4}h28" ${stroke(line.policy, line.admission, isBold)}/><text x="${LEGEND_LEFT + 36}" y="${y}" fill="#111827"${isBold ? ' font-weight="600"' : ''}>${text}</text>`
  })
  return [head, ...entries]
}

const round = (value: number): number => Math.round(value * 10) / 10

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
