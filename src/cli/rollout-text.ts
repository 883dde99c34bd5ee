/** Rollouts in words. */
import type { RolloutCounts, RolloutSummary } from '../control/rollout-shapes.ts'
import { gateText } from '../unit/rollout/gate.ts'
import { shareText } from '../unit/rollout/stages.ts'
import { table } from './help.ts'

const versionText = ({ name, version }: RolloutSummary): string => `${name}@${version}`

/** The stage that is in force, or how it ended. */
export function stepText(rollout: RolloutSummary): string {
  const { state, reason } = rollout
  if (state === 'rolled-back') return `rolled back: ${reason}`
  if (state === 'done') return 'live everywhere'
  const paused = state === 'paused' ? `, ${reason ?? 'paused'}` : ''
  if (rollout.kind === 'shadow') return `shadow of ${shareText(rollout.share)} of the clients${paused}`
  const { stages, step } = rollout
  return `step ${step + 1} of ${stages.length}: ${stages[step]}${paused}`
}

/** What is waited for. */
function waitText(rollout: RolloutSummary): string {
  if (rollout.kind === 'shadow') {
    const { same, different, failed, skipped } = rollout.results
    const left = skipped > 0 ? `, ${skipped} left out` : ''
    return `${same + different + failed} compared, ${different + failed} differ${failed > 0 ? ` (${failed} failed)` : ''}${left}`
  }
  if (rollout.state !== 'running') return ''
  const { elapsedMs, stepForMs, judgement, gate } = rollout
  if (elapsedMs === undefined) return 'not looked at yet'
  const { requests } = rollout.new
  const needs = [
    ...(elapsedMs < stepForMs ? [`${seconds(stepForMs - elapsedMs)} more`] : []),
    ...(requests < gate.minRuns ? [`${gate.minRuns - requests} more requests`] : []),
  ]
  if (judgement === 'waiting' && gate.minRuns === 0) needs.push('a first request of either version')
  if (judgement === 'worse') return 'worse: it is rolled back'
  return needs.length === 0 ? 'healthy: the next step begins' : `waits for ${needs.join(' and ')}`
}

const seconds = (ms: number): string => `${Math.ceil(ms / 1000)} s`

export function rolloutList(rollouts: readonly RolloutSummary[]): string {
  if (rollouts.length === 0) return 'no rollouts; `orla deploy FILE --stage 5%,50%` begins one'
  return table(
    ['UNIT', 'FROM', 'STATE', 'STEP', 'NOW'],
    rollouts.map((rollout) => [
      versionText(rollout),
      String(rollout.from),
      rollout.state,
      stepText(rollout),
      waitText(rollout),
    ]),
  )
}

const fetchText = (mayFetch: boolean): string =>
  mayFetch ? 'GET and HEAD of its `fetch` go out' : 'nothing of its `fetch` goes out'

/** One line a stage, and what moves it on. */
export function planText(rollout: RolloutSummary): string {
  if (rollout.kind === 'shadow') {
    return `  ${stepText(rollout)}; ${fetchText(rollout.mayFetch)}`
  }
  const { stages, step, stepForMs, gate } = rollout
  return [
    ...stages.map((stage, at) => `  ${at === step ? '>' : ' '} ${at + 1}. ${stage}`),
    `    ${stages.length + 1}. live everywhere`,
    `  each for ${stepForMs / 1000} s and ${gate.minRuns} requests at least; rolled back beyond ${gateText(gate)}`,
  ].join('\n')
}

export function rolloutDetail(rollout: RolloutSummary): string {
  const rows = [
    ['rollout', `${versionText(rollout)}, over ${rollout.name}@${rollout.from}`],
    ['state', stepText(rollout)],
    ['now', waitText(rollout) || '-'],
    ...(rollout.kind === 'shadow' ? [['fetch', fetchText(rollout.mayFetch)]] : []),
  ].map(([key, value]) => `${key!.padEnd(9)}  ${value}`)
  if (rollout.kind === 'staged') return [...rows, planText(rollout), '', versionsTable(rollout)].join('\n')
  const { notCompared, examples } = rollout
  return [
    ...rows,
    ...(notCompared.length > 0 ? [`phases     not compared: ${notCompared.join(', ')}`] : []),
    ...(examples.length > 0 ? ['', 'last differences:'] : []),
    ...examples.map(
      ({ method, path, phase, live, shadow, differs }) =>
        `  ${method} ${path}  ${phase}: ${live === shadow ? live : `${live}, the shadow ${shadow}`} (${differs.join(', ')})`,
    ),
  ].join('\n')
}

function versionsTable(rollout: RolloutSummary): string {
  const row = (version: number, { requests, errors, serverErrors, p50Ms, p99Ms }: RolloutCounts) => [
    String(version),
    String(requests),
    String(errors),
    String(serverErrors),
    p50Ms === undefined ? '-' : `${p50Ms} ms`,
    p99Ms === undefined ? '-' : `${p99Ms} ms`,
  ]
  return table(
    ['VERSION', 'REQUESTS', 'ERRORS', '5XX', 'P50', 'P99'],
    [row(rollout.version, rollout.new), row(rollout.from, rollout.old)],
  )
}
