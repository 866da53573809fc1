"""What most people want of Trunkline, as one package to install; its dependencies are all that it has."""
