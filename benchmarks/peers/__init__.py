"""What others would run: the same grid, each as its own documentation writes it.

One by hand: cd benchmarks && python -m peers.notebook --help
"""
