/** `orla disable`: switches a unit, or all of them, off. */
import { switchCommand } from '../switch.ts'

export const command = switchCommand(
  'disable',
  'Switches a unit off, or all of them: requests pass as if it were not there. It stays in the store, and `orla enable` brings it back.',
)
