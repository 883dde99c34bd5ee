/** What `orla` means in an import: the types of a unit's author, and `defineConfig` for `orla.config.ts`. */
export { defineConfig } from './config/define.ts'
export type { ConfigInput } from './config/schema.ts'
export type * from './unit/types/orla.d.ts'
