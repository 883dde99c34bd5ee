/**
 * Who comes in: asked before anything has to leave.
 *
 * An admission is asked once for every value that somebody wants to store under a key that holds nothing, after its
 * size was found to fit. It does not see values that replace others: their key was admitted before. Keys are told by
 * their hashes.
 */
import type { DiskTierPlan } from './disk-tier.ts'

export interface Admission {
  /**
   * May it come in? `bytes` is its size as the caller said. `victim` names the key that would have to leave for it,
   * undefined where there is room; it is only called by those who want to know, since finding out has a price.
   */
  admits(hash: number, bytes: number, victim: () => number | undefined): boolean
  /** A stored key was read. On the path of every hit; absent where the admission does not care. */
  onUse?(hash: number): void
}

/** Makes the admission of a tier on disk; undefined: everything comes in. */
export type CreateAdmission = (
  name: DiskTierPlan['admission'],
  options: AdmissionOptions,
) => Admission | undefined

/** What an admission is made with. */
export interface AdmissionOptions {
  /** How many keys it should be able to tell apart at a time. */
  readonly keys: number
  /** The size that it takes one time in e, where it goes by size. */
  readonly bytes: number
  /** Numbers from 0 to below 1. */
  readonly random: () => number
}
