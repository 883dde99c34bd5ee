/** What a deploy says of a unit, checked: its manifest, and the changes of its environment. */
import type { ModuleFacts } from '../../contract/unit-runner.ts'
import { Refused, type DeployRequest, type EnvironmentChange } from '../../control/node.ts'
import type { Draft, EnvChange } from '../../unit/changes.ts'
import { limitProblems } from '../../unit/limit-field.ts'
import { scheduleProblems } from '../../unit/schedule.ts'
import { parseManifest } from '../../unit/manifest.ts'

/** Before a module was tried nothing is known of it, but what the deploy itself says is checked already. */
export function readModule(
  name: string,
  { phases, fields }: ModuleFacts = { phases: 0, fields: {} },
  { manifest: overrides, defaults }: DeployRequest,
): Pick<Draft, 'phases' | 'manifest'> {
  const result = parseManifest({ ...defaults, ...fields }, overrides)
  const found =
    'problems' in result
      ? result.problems
      : phases === 0
        ? []
        : [...scheduleProblems(phases, result.manifest), ...limitProblems(phases, result.manifest)]
  if ('manifest' in result && found.length === 0) return { phases, manifest: result.manifest }
  const problems = found.map((message) => ({ message }))
  throw new Refused(`${name} says what it may not: ${found.join('; ')}`, problems)
}

export function envChange({ env = {}, secrets = {} }: EnvironmentChange): EnvChange {
  const each = (values: Readonly<Record<string, string | null>>, secret: boolean) =>
    Object.entries(values).map(([key, value]) => [key, value === null ? null : { value, secret }] as const)
  return Object.fromEntries([...each(env, false), ...each(secrets, true)])
}
