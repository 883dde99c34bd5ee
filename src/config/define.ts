import type { ConfigInput } from './schema.ts'

/**
 * Types a configuration for the editor, in `orla.config.ts`:
 *
 *     import { defineConfig } from 'orla'
 *     export default defineConfig({ sites: [{ origin: 'http://127.0.0.1:9000' }] })
 *
 * It returns what it is given: the check is made when the file is loaded.
 */
export const defineConfig = (config: ConfigInput): ConfigInput => config
