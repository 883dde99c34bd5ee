/** The guest's bundle evaluates to this module's exports: what the host holds, and no unit can reach. */
import { installGlobals } from './globals.ts'

installGlobals()

export { install } from './install.ts'
export { step } from './step.ts'
