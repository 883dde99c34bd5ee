/**
 * Probability by size: a value of so many bytes comes in with the probability e^(-bytes/c). Small ones nearly always do;
 * a large one has to be wanted often before the dice let it in.
 *
 * Berger, Sitaraman, Harchol-Balter, "AdaptSize: Orchestrating the Hot Object Memory Cache in a CDN", NSDI 2017, without
 * the search for the best c.
 */
import type { Admission, AdmissionOptions } from '../../contract/admission.ts'

export class SizeProbability implements Admission {
  readonly #bytes: number
  readonly #random: () => number

  constructor(options: Pick<AdmissionOptions, 'bytes' | 'random'>) {
    this.#bytes = options.bytes
    this.#random = options.random
  }

  admits(_hash: number, bytes: number): boolean {
    return this.#random() < Math.exp(-bytes / this.#bytes)
  }
}
