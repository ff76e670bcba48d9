"""Training of Bitmarks networks: graph, quantisation, data, training, evaluation, export. See training/README.md."""
