/** Every admission by its name in the configuration. */
import type { AdmissionName } from '../../config/cache-schema.ts'
import type { Admission, AdmissionOptions } from '../../contract/admission.ts'
import { SecondSight } from './second-sight.ts'
import { SizeProbability } from './size-probability.ts'
import { TinyLfu } from './tiny-lfu.ts'

export type { AdmissionName }

interface AdmissionConstructor {
  new (options: AdmissionOptions): Admission
}

const ADMISSIONS: Readonly<Record<AdmissionName, AdmissionConstructor | undefined>> = {
  all: undefined,
  'second-sight': SecondSight,
  tinylfu: TinyLfu,
  'size-probability': SizeProbability,
}

export const ADMISSION_NAMES = Object.keys(ADMISSIONS) as AdmissionName[]

/**
 * Undefined: everything comes in.
 *
 * @throws RangeError where there is no admission of that name.
 */
export function createAdmission(name: AdmissionName, options: AdmissionOptions): Admission | undefined {
  if (!Object.hasOwn(ADMISSIONS, name))
    throw new RangeError(
      `admission: expected one of ${ADMISSION_NAMES.join(', ')}, not ${JSON.stringify(name)}`,
    )
  const Constructor = ADMISSIONS[name]
  return Constructor && new Constructor(options)
}
