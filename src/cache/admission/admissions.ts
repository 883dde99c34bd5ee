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

/** The size that comes in one time in e, where it goes by size: 64 KiB, or a 256th of a room of more than 16 MiB. */
export const sizeAdmittedBytes = (roomBytes: number): number => Math.max(64 * 1024, roomBytes / 256)

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
