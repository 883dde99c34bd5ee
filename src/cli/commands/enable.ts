/** `orla enable`: switches a unit, or all of them, on again. */
import { switchCommand } from '../switch.ts'

export const command = switchCommand(
  'enable',
  'Switches a unit on again. With --all, those that were switched off one by one stay off.',
)
