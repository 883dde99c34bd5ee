/** A rollout from its first step to its end, a line each time that something has changed. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RolloutSummary } from '../control/rollout-shapes.ts'
import { EXIT, type ExitCode, type Terminal } from './command.ts'
import type { ControlClient } from './control-client.ts'
import { stepText } from './rollout-text.ts'

const EVERY_MS = 500

export async function followRollout(
  { name, version }: { readonly name: string; readonly version: number },
  control: ControlClient,
  terminal: Terminal,
): Promise<ExitCode> {
  let told = ''
  for (;;) {
    const now = (await control.call('GET', `/v1/rollouts/${name}`)) as RolloutSummary
    if (now.version !== version) {
      terminal.note(`${name}@${version} was replaced by ${name}@${now.version}`)
      return EXIT.refused
    }
    const text = `${name}@${version} ${stepText(now)}`
    if (now.state === 'rolled-back') {
      terminal.note(text)
      return EXIT.refused
    }
    if (text !== told) terminal.print(text)
    told = text
    if (now.state === 'done') return EXIT.done
    await sleep(EVERY_MS)
  }
}
