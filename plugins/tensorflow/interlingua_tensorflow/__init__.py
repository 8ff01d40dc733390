"""TensorFlow and Keras for Interlingua."""
