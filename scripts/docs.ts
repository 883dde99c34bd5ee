/**
 * `npm run docs`: writes the pages of `docs/reference/` from the tables that the program itself runs by.
 *
 * A page that is written by hand goes stale in silence. `test/docs/reference.test.ts` makes these pages again and fails
 * where one differs from its file.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { commandsPage } from './docs/commands.ts'
import { configurationPage } from './docs/configuration.ts'
import { errorsPage } from './docs/errors.ts'
import { phasesPage } from './docs/phases.ts'

/** Pages by path from the root of the tree. */
export async function referencePages(): Promise<Readonly<Record<string, string>>> {
  return {
    'docs/reference/commands.md': await commandsPage(),
    'docs/reference/configuration.md': configurationPage(),
    'docs/reference/errors.md': errorsPage(),
    'docs/reference/phases.md': phasesPage(),
  }
}

if (import.meta.main) {
  for (const [path, text] of Object.entries(await referencePages())) {
    const file = fileURLToPath(new URL(`../${path}`, import.meta.url))
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
}
