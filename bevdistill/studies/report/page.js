for (const sample of document.querySelectorAll('.sample')) {
  const slider = sample.querySelector('input');
  const layers = [...sample.querySelectorAll('.layer')];
  const stops = [...sample.querySelectorAll('.stops button')];
  const show = (value) => {
    slider.value = value;
    const low = Math.floor(Number(slider.value)), part = Number(slider.value) - low;
    layers.forEach((layer, place) => {
      const upper = place === low + 1 && part > 0;
      layer.classList.toggle('shown', place === low || upper);
      layer.style.zIndex = upper ? 2 : 1;
      layer.style.opacity = upper ? part : 1;
    });
    const near = Math.round(Number(slider.value));
    stops.forEach((stop, place) => stop.setAttribute('aria-pressed', place === near));
    slider.setAttribute('aria-valuetext', layers[near].dataset.name);
  };
  const steps = {ArrowRight: 1, ArrowUp: 1, PageUp: 1, ArrowLeft: -1, ArrowDown: -1, PageDown: -1};
  slider.addEventListener('input', () => show(slider.value));
  slider.addEventListener('keydown', (event) => {
    if (event.key in steps) {
      event.preventDefault();
      show(Math.round(Number(slider.value)) + steps[event.key]);
    }
  });
  stops.forEach((stop) => stop.addEventListener('click', () => show(Number(stop.dataset.layer))));
  sample.querySelector('.slider').hidden = false;
  sample.classList.add('live');
  show(0);
}
