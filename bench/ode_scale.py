"""Large reaction networks with blocks that are known, in the language of ERODE.

    python3 bench/ode_scale.py OUT.ode [--monomials 1000000] [--seed 0]

Equal copies of a random network of KINDS species, all of them catalysed by the same hubs, which they feed:

    x -> nothing            hub + x -> hub + x' + hub'

with rates that are random, but do not depend on the copy. Forward (sums) as well as backward (equal starts) the copies
of a species are one block and every hub is alone, from one block or from the initial values: KINDS + HUBS blocks. The
species stand in random order. Every monomial is that of one reaction.
"""

import argparse
import random

KINDS, HUBS = 200, 4
BLOCKS = KINDS + HUBS


def write(path, monomials=1_000_000, seed=0):
    """Writes a network with at least so many different monomials; returns (variables, monomials)."""
    draw = random.Random(seed)
    copies = -(-monomials // (KINDS * (HUBS + 1)))
    species = [(copy, kind) for copy in range(copies) for kind in range(KINDS)]
    draw.shuffle(species)
    start = [draw.randrange(1, 1000) / 1000 for _ in range(KINDS)]
    decay = [draw.randrange(1, 10 ** 6) / 10 ** 6 for _ in range(KINDS)]
    step = [[(draw.randrange(KINDS), draw.randrange(HUBS), draw.randrange(1, 10 ** 6) / 10 ** 6) for _ in range(HUBS)]
            for _ in range(KINDS)]
    with open(path, "w", encoding="utf-8") as file:
        file.write("begin model scale\n begin init\n")
        file.writelines(f"  h{hub} = {hub + 1}\n" for hub in range(HUBS))
        file.writelines(f"  x{copy}_{kind} = {start[kind]}\n" for copy, kind in species)
        file.write(" end init\n begin reactions\n")
        for copy, kind in species:
            here = f"x{copy}_{kind}"
            file.write(f"  {here} -> , {decay[kind]:f}\n")
            for hub, (to, fed, rate) in enumerate(step[kind]):
                file.write(f"  h{hub} + {here} -> h{hub} + x{copy}_{to} + h{fed} , {rate:f}\n")
        file.write(" end reactions\nend model\n")
    return len(species) + HUBS, len(species) * (HUBS + 1)


def main():
    parser = argparse.ArgumentParser(description="Writes a large reaction network with blocks that are known.")
    parser.add_argument("out")
    parser.add_argument("--monomials", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    variables, monomials = write(arguments.out, arguments.monomials, arguments.seed)
    print(f"{variables} variables, {monomials} monomials; {BLOCKS} blocks, forward and backward")


if __name__ == "__main__":
    main()
