/**
 * TinyLFU in front of any policy: a value comes in only where its key was seen more often lately than the one that would
 * have to leave for it.
 *
 * Keeps what is wanted from being pushed out by what is wanted less; a key that becomes wanted has to be asked for a few
 * times first. A hit counts in a sketch of eight bytes a key. Einziger, Friedman, Manes, "TinyLFU: A Highly Efficient Cache
 * Admission Policy", 2017.
 */
import type { Admission, AdmissionOptions } from '../../contract/admission.ts'
import { FrequencySketch } from '../frequency-sketch.ts'

export class TinyLfu implements Admission {
  readonly #sketch = new FrequencySketch()

  constructor(options: Pick<AdmissionOptions, 'keys'>) {
    this.#sketch.fit(options.keys)
  }

  admits(hash: number, _bytes: number, victim: () => number | undefined): boolean {
    this.#sketch.add(hash)
    const leaving = victim()
    return leaving === undefined || this.#sketch.estimate(hash) > this.#sketch.estimate(leaving)
  }

  onUse(hash: number): void {
    this.#sketch.add(hash)
  }
}
