/** Builds units in this process as a deploy would, for the commands that need no node. */
import { fileURLToPath } from 'node:url'
import type { BuildResult } from '../checker/protocol.ts'
import { readUnitTypes, TypeCheck } from '../checker/type-check.ts'
import { buildUnit } from '../checker/unit-build.ts'
import type { ModuleFiles } from './module-files.ts'

const TYPES = fileURLToPath(new URL('../unit/types', import.meta.url))

/** Kept for several units: the first check reads the types. */
export class UnitBuild {
  readonly #check = new TypeCheck(readUnitTypes(TYPES))

  run(name: string, { entry, files, source, language, tests }: ModuleFiles): Promise<BuildResult> {
    return buildUnit(this.#check, { name, entry, language, tests, files: { ...files, [entry]: source } })
  }
}
