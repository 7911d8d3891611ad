"""Tables of figures over folders of sounds: `diffava evaluate TABLE --generated DIR --reference DIR`."""
